/* SPDX-License-Identifier: MIT */
#include "shared/object.h"

#include "base/lock.h"
#include "base/sys.h"
#include "shared/member.h"

#include <linux/falloc.h>

/* After so long a sleep the owner is looked at. */
#define WAIT_NS 20000000

static uint32_t owner_bits(const struct shared *shared)
{
    return (shared->member + 1) << SHARED_OWNER;
}

static _Atomic uint32_t *word_of(const struct shared *shared, uint64_t object)
{
    return &shared->file->objects[object].word;
}

bool shared_claim(struct shared *shared, uint64_t object, uint32_t word)
{
    return !shared_owner_of(word) && atomic_compare_exchange_strong(word_of(shared, object), &word,
                                                                    word | owner_bits(shared));
}

void shared_set(struct shared *shared, uint64_t object, uint32_t state)
{
    uint32_t word = shared_load(shared, object);

    while (!atomic_compare_exchange_weak(word_of(shared, object), &word,
                                         (word & SHARED_WAITERS) | owner_bits(shared) | state))
        ;
}

bool shared_advance(struct shared *shared, uint64_t object, uint32_t from, uint32_t to)
{
    uint32_t word = owner_bits(shared) | from;

    while (!atomic_compare_exchange_weak(word_of(shared, object), &word,
                                         (word & SHARED_WAITERS) | owner_bits(shared) | to))
        if ((word & ~SHARED_WAITERS) != (owner_bits(shared) | from))
            return false;
    return true;
}

void shared_take_back(struct shared *shared, uint64_t object, uint32_t word)
{
    uint32_t kept = SHARED_RESIDENT | (word & SHARED_COPY);

    if (atomic_compare_exchange_strong(word_of(shared, object), &word, kept) &&
        word & SHARED_WAITERS)
        futex_wake_all_shared(word_of(shared, object));
}

void shared_release(struct shared *shared, uint64_t object, uint32_t state)
{
    uint32_t before = atomic_exchange(word_of(shared, object), state);

    if (before & SHARED_WAITERS)
        futex_wake_all_shared(word_of(shared, object));
}

void shared_let_go(struct shared *shared, uint64_t object)
{
    shared_release(shared, object, shared_load(shared, object) & (SHARED_STATE | SHARED_COPY));
}

void shared_wait(struct shared *shared, uint64_t object, uint32_t word)
{
    _Atomic uint32_t *at = word_of(shared, object);
    uint32_t owner = shared_owner_of(word);

    if (!owner)
        return;
    if (!(word & SHARED_WAITERS)) {
        if (!atomic_compare_exchange_strong(at, &word, word | SHARED_WAITERS))
            return;
        word |= SHARED_WAITERS;
    }
    futex_wait_shared(at, word, WAIT_NS);
    if (atomic_load(at) != word || owner == shared->member + 1)
        return;
    if (owner <= SHARED_MEMBERS)
        member_reap(shared, owner - 1);
    else /* a number that nobody has: the file is damaged there */
        shared_recover(shared, object, owner);
}

int shared_punch(struct shared *shared, uint64_t first, uint64_t count)
{
    return (int)sys_call(
        SYS_fallocate, shared->alive.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        shared->file->content + (first << shared->object_shift), count << shared->object_shift);
}

/* What is in memory of it goes; the store has it, or it was never anything. */
static uint32_t drop(struct shared *shared, uint64_t object, uint32_t word)
{
    if (shared_punch(shared, object, 1))
        return SHARED_POISONED;
    return shared_absent(word);
}

static uint32_t finished(struct shared *shared, uint64_t object, uint32_t word)
{
    switch (shared_state_of(word)) {
    case SHARED_FILLING:
    case SHARED_DROPPING:
        return drop(shared, object, word);
    case SHARED_EVICTING:
        return SHARED_RESIDENT;
    default:
        return word & (SHARED_STATE | SHARED_COPY);
    }
}

void shared_recover(struct shared *shared, uint64_t object, uint32_t dead_owner)
{
    uint32_t word = shared_load(shared, object), writer = dead_owner;

    if (dead_owner)
        atomic_compare_exchange_strong(&shared->file->objects[object].writer, &writer, 0);
    if (shared_owner_of(word) == dead_owner)
        shared_release(shared, object, finished(shared, object, word));
}
