/* SPDX-License-Identifier: MIT */
/*
 * Objects: the unit that is swapped. An object is named by the index of its first page in the
 * window; its size is that of its region. Every page of the window has a place in two arrays: one
 * with the state word (used at the first page of an object) and the checksum of what the page's
 * slot holds, and one with the slot. Free slots have none of these, however many there are.
 *
 * States and transitions (the function that makes each is named):
 *
 *                    fill_zero                     evict_mask
 *        EMPTY -----------------> RESIDENT <----------------------> MASKED
 *          ^                       ^    |          fill_unmask       |  ^
 *          |                       |    |                evict_write |  | evict_written: touched
 *          | discard (from any)    |    |                            v  | meanwhile, or it failed
 *          |                       |    | pinned: stays            WRITING
 *          |             fill_read |                                 | evict_written
 *          +------------------- EVICTED <----------------------------+
 *                                  |        (a clean one goes from MASKED to EVICTED at once)
 *                                  | fill_read fails
 *                                  v
 *                               POISONED
 *
 * EMPTY     all zero, nowhere; the state of fresh memory (all bits of the word clear)
 * RESIDENT  its pages are in the window; where = its sequence number in the pool
 * MASKED    its pages are in frames; where = the first of them
 * WRITING   as MASKED, and the frames are on their way to a store
 * EVICTED   its pages are in slots; where = the eviction clock when it left
 * POISONED  its content is lost: it cannot be read from its store
 * BUSY      one thread owns it and is making a transition; where belongs to that thread
 *
 * Invariants
 *   1. A thread leaves a stable state only by object_claim() (to BUSY) and ends its ownership only
 * by object_publish(). WRITING is owned by the write in flight; object_end_write() ends it.
 *   2. The slots and checksums of an object are read and written by its owner only; a page without
 * a slot has no checksum. A RESIDENT or MASKED object may keep slots: they hold what it held when
 * it was read or written, so that it can leave without a write if it did not change.
 *   3. Pins are counted in any state; only a RESIDENT object can be given a pin, and an object with
 *      pins is not masked.
 *   4. Nobody who owns a BUSY object waits for another object.
 *   5. The pages of a RESIDENT object that is clean are protected against writes and hold what its
 *      slots hold. It can have no pins: the kernel could not write to it. No other is protected.
 */
#ifndef USWAP_OBJECT_OBJECT_H
#define USWAP_OBJECT_OBJECT_H

#include "base/base.h"
#include "store/store.h"

#include <stdatomic.h>

typedef uint32_t object_t;

enum object_state {
    OBJECT_EMPTY,
    OBJECT_RESIDENT,
    OBJECT_MASKED,
    OBJECT_WRITING,
    OBJECT_EVICTED,
    OBJECT_POISONED,
    OBJECT_BUSY,
};

/* The state word. */
#define OBJECT_STATE_MASK  0xfull
#define OBJECT_WAITED      (1ull << 4)    /* somebody sleeps on the word */
#define OBJECT_HOT         (1ull << 5)    /* in the hot ring of the pool, or was when it left */
#define OBJECT_AHEAD       (1ull << 6)    /* read ahead, not seen touched */
#define OBJECT_DISCARDED   (1ull << 7)    /* WRITING, but nobody wants it any more */
#define OBJECT_CLEAN_MASK  (0xffull << 8) /* see object_is_clean() */
#define OBJECT_PIN         (1ull << 16)
#define OBJECT_PIN_MASK    (0xffffull << 16)
#define OBJECT_WHERE_SHIFT 32

/* The slot of a page that is not mapped any more, in a region that still has other pages. */
#define SLOT_GONE ((slot_t)UINT32_MAX)

/* Object sizes are the same throughout a chunk of the window. */
#define CHUNK_SHIFT       21
#define CHUNK_SIZE        ((size_t)1 << CHUNK_SHIFT)
#define CHUNK_PAGES_SHIFT (CHUNK_SHIFT - PAGE_SHIFT)
#define CHUNK_PAGES       (1u << CHUNK_PAGES_SHIFT)

struct object_page {
    _Atomic uint64_t word;
    uint64_t checksum;
};

struct object_table {
    struct object_page *pages; /* one a page */
    slot_t *slots;             /* one a page */
    uint8_t *shifts;           /* one a chunk: log2 of the pages of an object */
    uint64_t clean_mark;       /* what a clean object has in OBJECT_CLEAN_MASK; 0: none is */
};
extern struct object_table objects;

/* Reserve the arrays for so many pages. */
int object_init(uint64_t pages) must_check;

static inline uint32_t object_pages(object_t object)
{
    return 1u << objects.shifts[object >> CHUNK_PAGES_SHIFT];
}

/* Step over unmapped pages: move *page to the next live one before end; returns how many live pages
 * follow it there in a row, 0 at the end. */
static inline uint32_t object_live_run(object_t *page, object_t end)
{
    object_t at = *page;

    while (at < end && objects.slots[at] == SLOT_GONE)
        at++;
    *page = at;
    while (at < end && objects.slots[at] != SLOT_GONE)
        at++;
    return at - *page;
}

/* How many live pages there are. */
static inline uint32_t object_live_pages(object_t first, uint32_t pages)
{
    object_t end = first + pages;
    uint32_t count, live = 0;

    for (; (count = object_live_run(&first, end)); first += count)
        live += count;
    return live;
}

static inline bool object_any_live(object_t first, object_t end)
{
    return object_live_run(&first, end) != 0;
}

static inline enum object_state object_state_of(uint64_t word)
{
    return (enum object_state)(word & OBJECT_STATE_MASK);
}

static inline uint32_t object_where_of(uint64_t word)
{
    return (uint32_t)(word >> OBJECT_WHERE_SHIFT);
}

/*
 * Whether a RESIDENT object is clean. The child of a fork has the pages but not their protection,
 * so that what is clean in the parent must not count as clean in the child: each generation has a
 * mark of its own, and one that is so late that it has none left does without clean objects.
 */
static inline bool object_is_clean(uint64_t word)
{
    return objects.clean_mark && (word & OBJECT_CLEAN_MASK) == objects.clean_mark;
}

void object_fork_child(void);

static inline uint64_t object_load(object_t object)
{
    return atomic_load_explicit(&objects.pages[object].word, memory_order_acquire);
}

/* From the state seen in word to BUSY; false if the word has changed (a new pin is a change). */
bool object_claim(object_t object, uint64_t word);

/* As object_claim(), but pins and waiters may come and go: fails only when state or where changed.
 */
bool object_claim_pinned(object_t object, uint64_t word);

/* End the ownership: state and flags, where; pins stay. Wakes who waits. */
void object_publish(object_t object, uint64_t state_and_flags, uint32_t where);

/* Sleep until the object leaves the state in word (BUSY or WRITING), or something else happens. */
void object_wait(object_t object, uint64_t word);

/* MASKED to WRITING is a publish; this ends it: returns the flags it had (OBJECT_WAITED,
 * OBJECT_DISCARDED) with the object BUSY, owned by the caller. */
uint64_t object_end_write(object_t object);

/* Mark a WRITING object as not wanted; false if it is not WRITING any more. */
bool object_discard_write(object_t object, uint64_t word);

/* Add a pin to a RESIDENT object; false if the word changed, it is clean, or it has the most pins
 * that it can count. */
bool object_add_pin(object_t object, uint64_t word);
void object_drop_pin(object_t object);

static inline unsigned object_pins_of(uint64_t word)
{
    return (unsigned)((word & OBJECT_PIN_MASK) >> 16);
}

#endif
