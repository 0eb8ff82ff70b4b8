/* SPDX-License-Identifier: MIT */
/* One function per kind of change of a state word; see the diagram in object.h. */
#include "object/object.h"

#include "base/lock.h"
#include "base/meta.h"

#include <errno.h>

struct object_table objects;

/* A lost wake-up would otherwise stop a program: a waiter looks again after this time. */
#define WAIT_BOUND_NS 100000000

#define FIRST_CLEAN_MARK (UINT64_C(1) << 8)

int object_init(uint64_t pages)
{
    uint64_t chunks = pages >> CHUNK_PAGES_SHIFT;

    objects.clean_mark = FIRST_CLEAN_MARK;
    objects.pages = meta_reserve(pages * sizeof(*objects.pages));
    objects.slots = meta_reserve(pages * sizeof(*objects.slots));
    objects.shifts = meta_reserve(chunks * sizeof(*objects.shifts));
    if (objects.pages && objects.slots && objects.shifts)
        return 0;
    meta_release(objects.pages, pages * sizeof(*objects.pages));
    meta_release(objects.slots, pages * sizeof(*objects.slots));
    meta_release(objects.shifts, chunks * sizeof(*objects.shifts));
    return -ENOMEM;
}

void object_fork_child(void)
{
    if (objects.clean_mark)
        objects.clean_mark = (objects.clean_mark + FIRST_CLEAN_MARK) & OBJECT_CLEAN_MASK;
}

static bool change(object_t object, uint64_t *from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(&objects.pages[object].word, from, to,
                                                   memory_order_acq_rel, memory_order_acquire);
}

static uint64_t busy_word(uint64_t word)
{
    return (word & ~OBJECT_STATE_MASK) | OBJECT_BUSY;
}

/* What somebody owns cannot be claimed, whoever asks. */
static bool is_owned(uint64_t word)
{
    return object_state_of(word) == OBJECT_BUSY || object_state_of(word) == OBJECT_WRITING;
}

bool object_claim(object_t object, uint64_t word)
{
    return !is_owned(word) && change(object, &word, busy_word(word));
}

bool object_claim_pinned(object_t object, uint64_t word)
{
    const uint64_t ignored = OBJECT_PIN_MASK | OBJECT_WAITED;
    uint64_t seen = word;

    if (is_owned(word))
        return false;
    while (!change(object, &seen, busy_word(seen))) {
        if ((seen ^ word) & ~ignored)
            return false;
    }
    return true;
}

static _Atomic uint32_t *futex_of(object_t object)
{
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the state must lie in the half of the word that the futex is on"
#endif
    return (_Atomic uint32_t *)&objects.pages[object].word;
}

void object_publish(object_t object, uint64_t state_and_flags, uint32_t where)
{
    uint64_t fresh = state_and_flags | (uint64_t)where << OBJECT_WHERE_SHIFT;
    uint64_t word = object_load(object);

    while (!change(object, &word, fresh | (word & OBJECT_PIN_MASK)))
        ;
    if (word & OBJECT_WAITED)
        futex_wake_all(futex_of(object));
}

void object_wait(object_t object, uint64_t word)
{
    if (!(word & OBJECT_WAITED)) {
        if (!change(object, &word, word | OBJECT_WAITED))
            return;
        word |= OBJECT_WAITED;
    }
    futex_wait(futex_of(object), (uint32_t)word, WAIT_BOUND_NS);
}

uint64_t object_end_write(object_t object)
{
    uint64_t word = object_load(object);

    while (!change(object, &word, busy_word(word)))
        ;
    return word & (OBJECT_WAITED | OBJECT_DISCARDED);
}

bool object_discard_write(object_t object, uint64_t word)
{
    return change(object, &word, word | OBJECT_DISCARDED);
}

bool object_add_pin(object_t object, uint64_t word)
{
    if ((word & OBJECT_PIN_MASK) == OBJECT_PIN_MASK || object_is_clean(word))
        return false;
    return change(object, &word, word + OBJECT_PIN);
}

void object_drop_pin(object_t object)
{
    uint64_t word = object_load(object);

    while ((word & OBJECT_PIN_MASK) && !change(object, &word, word - OBJECT_PIN))
        ;
}
