/* SPDX-License-Identifier: MIT */
/*
 * The objects of a shared region. A word holds a state, whether the store has a copy, and the
 * number of the member that owns it, + 1. Everything about an object is changed by its owner only;
 * the word says how far it came, so that another member can finish or take back what the owner was
 * at when it died:
 *
 * - EMPTY (reads as zero), RESIDENT (in memory), STORED (in the store), POISONED (lost: SIGBUS):
 *   nothing was changed.
 * - FILLING, it comes into memory, and DROPPING, it leaves: it is dropped from memory; STORED when
 *   the store has a copy, else EMPTY.
 * - EVICTING, it is being written: RESIDENT, for nobody maps it.
 *
 * The last three always have an owner, the others while somebody maps or unmaps them. An object
 * that is EVICTING can be taken back from its owner by whoever wants it.
 */
#ifndef USWAP_SHARED_OBJECT_H
#define USWAP_SHARED_OBJECT_H

#include "shared/region.h"

enum shared_state {
    SHARED_EMPTY,
    SHARED_RESIDENT,
    SHARED_STORED,
    SHARED_POISONED,
    SHARED_FILLING,
    SHARED_EVICTING,
    SHARED_DROPPING,
};

#define SHARED_STATE   7u
#define SHARED_COPY    8u  /* the store has this content, with the checksum next to the word */
#define SHARED_WAITERS 16u /* somebody sleeps on the word */
#define SHARED_OWNER   8   /* where its number begins */

static inline enum shared_state shared_state_of(uint32_t word)
{
    return (enum shared_state)(word & SHARED_STATE);
}

/* 0: nobody. */
static inline uint32_t shared_owner_of(uint32_t word)
{
    return word >> SHARED_OWNER;
}

/* What an object is when its memory has been dropped. */
static inline uint32_t shared_absent(uint32_t word)
{
    return word & SHARED_COPY ? SHARED_STORED | SHARED_COPY : SHARED_EMPTY;
}

static inline uint32_t shared_load(const struct shared *shared, uint64_t object)
{
    return atomic_load_explicit(&shared->file->objects[object].word, memory_order_acquire);
}

/* Become the owner of an object that had this word and no owner. */
bool shared_claim(struct shared *shared, uint64_t object, uint32_t word) must_check;

/* The owner says how far it is: a state, perhaps with SHARED_COPY. */
void shared_set(struct shared *shared, uint64_t object, uint32_t state);

/* The owner of an object that is EVICTING says how far it is: from and to are states, perhaps with
 * SHARED_COPY. false: somebody has taken the object back. */
bool shared_advance(struct shared *shared, uint64_t object, uint32_t from, uint32_t to) must_check;

/* Take an object back that has this word, which is EVICTING: it is RESIDENT and nobody's then. */
void shared_take_back(struct shared *shared, uint64_t object, uint32_t word);

/* The owner leaves it in this state (and SHARED_COPY), and wakes who waits. */
void shared_release(struct shared *shared, uint64_t object, uint32_t state);

/* The owner leaves it as it is. */
void shared_let_go(struct shared *shared, uint64_t object);

/* Wait until the owner of this word is another, at most a little while. If it has died, finish for
 * it. */
void shared_wait(struct shared *shared, uint64_t object, uint32_t word);

/* Drop the memory of objects that we own, for all processes. */
int shared_punch(struct shared *shared, uint64_t first, uint64_t count) must_check;

/* Somebody who died owned it: finish or take back what it was at. */
void shared_recover(struct shared *shared, uint64_t object, uint32_t dead_owner);

#endif
