/* SPDX-License-Identifier: MIT */
/*
 * The clock of CLOCK (F. J. Corbato, 1968), with two hands and several processes. Objects are
 * passed in slices of 64. The frontier runs ahead of the hand; each member unmaps what the frontier
 * has passed from its own view, in its own thread. What is touched again before the hand comes is
 * mapped again, by a fault without IO: its second chance. The hand sends away what nobody maps.
 *
 * A member that is stopped does not unmap; the hand passes over what it maps, and takes from the
 * others. A member asks nobody and waits for nobody but when all that is resident is mapped by
 * members that do not run.
 */
#include "shared/clock.h"

#include "base/lock.h"
#include "base/msg.h"
#include "shared/member.h"
#include "shared/move.h"
#include "shared/object.h"
#include "shared/room.h"
#include "shared/view.h"

#include <errno.h>

#define SLICE 64

/* The frontier is so far ahead: a part of the region, but some slices at least. */
#define AHEAD_PART 16
#define AHEAD_MIN  2

/* Waits of 10 ms for room, until we look whether somebody has died, and until we say so. */
#define WAITS_REAP 20
#define WAITS_SAY  500

static uint64_t slices(const struct shared *shared)
{
    return (shared->count + SLICE - 1) / SLICE;
}

static uint64_t first_of(const struct shared *shared, uint64_t slice)
{
    return slice % slices(shared) * SLICE;
}

static uint64_t end_of(const struct shared *shared, uint64_t slice)
{
    return min_u64(first_of(shared, slice) + SLICE, shared->count);
}

/* ---- Unmapping ---- */

static bool claim_mapped(struct shared *shared, uint64_t object)
{
    if (!view_has(shared, object) || atomic_load(&shared->pins[object]))
        return false;
    if (!shared_claim(shared, object, shared_load(shared, object)))
        return false;
    /* Who pins counts first and looks for an owner then. */
    if (!atomic_load(&shared->pins[object]) && view_has(shared, object))
        return true;
    shared_let_go(shared, object);
    return false;
}

static void unmap_slice(struct shared *shared, uint64_t slice)
{
    uint64_t end = end_of(shared, slice);

    if (!atomic_load(&shared->mapped[first_of(shared, slice) / 64]))
        return;
    for (uint64_t at = first_of(shared, slice); at < end; at++) {
        uint64_t first = at;

        while (at < end && claim_mapped(shared, at))
            at++;
        if (at == first)
            continue;
        view_unmap(shared, first, at - first);
        for (uint64_t i = first; i < at; i++)
            shared_let_go(shared, i);
    }
}

void clock_sweep(struct shared *shared)
{
    uint64_t at = atomic_load(&shared->swept);

    for (;;) {
        uint64_t frontier = atomic_load(&shared->file->frontier);
        uint64_t next = frontier - at > slices(shared) ? frontier - slices(shared) : at;

        if (at >= frontier)
            return;
        if (!atomic_compare_exchange_strong(&shared->swept, &at, next + 1))
            continue;
        unmap_slice(shared, next);
        at = atomic_load(&shared->swept);
    }
}

/* ---- Evicting ---- */

static bool claim_unmapped(struct shared *shared, uint64_t object)
{
    struct shared_object *entry = &shared->file->objects[object];
    uint32_t word = shared_load(shared, object);

    if (shared_state_of(word) != SHARED_RESIDENT || atomic_load(&entry->mapped) ||
        !shared_claim(shared, object, word))
        return false;
    if (!atomic_load(&entry->mapped) && !atomic_load(&entry->writer)) {
        atomic_store(&entry->writer, shared->member + 1);
        shared_set(shared, object, SHARED_EVICTING | (word & SHARED_COPY));
        return true;
    }
    shared_let_go(shared, object);
    return false;
}

static uint64_t evict_range(struct shared *shared, uint64_t at, uint64_t end)
{
    uint64_t gone = 0, most = move_run_max(shared);

    while (at < end) {
        uint64_t first = at;

        while (at < end && at - first < most && claim_unmapped(shared, at))
            at++;
        if (at == first)
            at++;
        else
            gone += move_out(shared, first, at - first);
    }
    return gone;
}

static void advance_frontier(struct shared *shared, uint64_t hand)
{
    uint64_t ahead = max_u64(slices(shared) / AHEAD_PART, AHEAD_MIN);
    uint64_t frontier = atomic_load(&shared->file->frontier);

    if (frontier > hand + ahead / 2)
        return;
    if (!atomic_compare_exchange_strong(&shared->file->frontier, &frontier, hand + ahead + 1))
        return;
    atomic_fetch_add(&shared->file->turn, 1);
    futex_wake_all_shared(&shared->file->turn);
}

bool clock_step(struct shared *shared)
{
    uint64_t slice = atomic_fetch_add(&shared->file->hand, 1);

    advance_frontier(shared, slice);
    clock_sweep(shared);
    return evict_range(shared, first_of(shared, slice), end_of(shared, slice)) != 0;
}

void clock_refill(struct shared *shared)
{
    uint64_t turn = 2 * slices(shared);

    if (!room_is_low(shared))
        return;
    for (uint64_t i = 0; i < turn && !room_is_plenty(shared); i++)
        clock_step(shared);
}

static bool turn_for_room(struct shared *shared, uint32_t pages)
{
    uint64_t turn = 2 * slices(shared);

    for (uint64_t i = 0; i < turn; i++)
        if (clock_step(shared) && room_take(shared, pages))
            return true;
    return false;
}

bool clock_make_some(struct shared *shared)
{
    uint64_t turn = 2 * slices(shared);

    for (uint64_t i = 0; i < turn; i++)
        if (clock_step(shared))
            return true;
    return false;
}

/* Somebody has died, or nobody gives way: look, and say so. */
static int wait_for_room(struct shared *shared, uint32_t events, struct shared_patience *patience)
{
    uint64_t errors = atomic_load(&shared->file->io_errors);

    if (!patience->waits++)
        patience->errors = errors;
    if (patience->waits % WAITS_REAP == 0)
        member_reap_all(shared);
    if (patience->waits >= WAITS_SAY && errors != patience->errors)
        return -EIO;
    if (patience->waits == WAITS_SAY)
        msg_warning("region %s: others hold all of its memory and do not give way; waiting",
                    shared->name);
    room_wait(shared, events);
    return -EAGAIN;
}

int clock_take_room(struct shared *shared, uint32_t pages, struct shared_patience *patience)
{
    uint32_t events = room_events(shared);

    if (room_take(shared, pages) || turn_for_room(shared, pages))
        return 0;
    return wait_for_room(shared, events, patience);
}

uint64_t clock_evict_all(struct shared *shared)
{
    uint64_t left = 0;

    evict_range(shared, 0, shared->count);
    for (uint64_t i = 0; i < shared->count; i++) {
        enum shared_state state = shared_state_of(shared_load(shared, i));
        left += state != SHARED_EMPTY && state != SHARED_STORED && state != SHARED_POISONED;
    }
    return left;
}
