/* SPDX-License-Identifier: MIT */
/*
 * A fault in the view of a shared region: the object is not mapped by this process. Either it is in
 * memory, because others map it or it has not left yet; or it comes in, with those behind it when a
 * thread goes through them in order.
 */
#include "base/lock.h"
#include "base/msg.h"
#include "observe/trace.h"
#include "shared/clock.h"
#include "shared/move.h"
#include "shared/object.h"
#include "shared/room.h"
#include "shared/view.h"

#include <errno.h>

/* Tries of 20 ms each while /dev/shm is full and nothing can leave it. */
#define FULL_TRIES    100
#define FULL_SLEEP_NS 20000000

unsigned shared_say_waits = 250;

/* Of 20 ms at most each, inside the gate. */
#define ROUNDS_INSIDE 5

/* Where the thread that went through objects in order would go on, and how many came in last. */
static __thread struct {
    const struct shared *shared;
    uint64_t next, run;
} stream;

static uint64_t ahead(const struct shared *shared, uint64_t object)
{
    bool in_order = stream.shared == shared && stream.next == object && stream.run;

    return in_order ? min_u64(2 * stream.run, move_run_max(shared)) : 1;
}

static void came_in(const struct shared *shared, uint64_t first, uint64_t count)
{
    stream.shared = shared;
    stream.next = first + count;
    stream.run = count;
}

static bool of_kind(struct shared *shared, uint64_t object, uint32_t kind)
{
    return object < shared->count && shared_load(shared, object) == kind;
}

/* From the object on: how many are alike and nobody's, at most. */
static uint64_t run_length(struct shared *shared, uint64_t object, uint32_t kind)
{
    uint64_t most = ahead(shared, object), count = 1;

    while (count < most && of_kind(shared, object + count, kind))
        count++;
    return count;
}

static uint64_t claim_run(struct shared *shared, uint64_t first, uint64_t count, uint32_t kind)
{
    uint64_t i = 0;

    for (; i < count && shared_claim(shared, first + i, kind); i++)
        shared_set(shared, first + i, SHARED_FILLING | (kind & SHARED_COPY));
    return i;
}

static int map_and_release(struct shared *shared, uint64_t first, uint64_t count)
{
    int error = view_map(shared, first, count);

    for (uint64_t i = first; i < first + count; i++)
        shared_let_go(shared, i);
    return error;
}

/* Read ahead only while there is room: *count becomes 1. */
static int take_room(struct shared *shared, uint64_t *count, struct shared_patience *patience)
{
    if (*count > 1 && room_take(shared, (uint32_t)*count * shared_object_pages(shared)))
        return 0;
    *count = 1;
    return clock_take_room(shared, shared_object_pages(shared), patience);
}

/* 0: brought in, or somebody else is at it; the caller looks again when it is not mapped. */
static int bring_in(struct shared *shared, uint64_t object, uint32_t kind,
                    struct shared_patience *patience, bool *done)
{
    uint64_t wanted = run_length(shared, object, kind), count;
    int error = take_room(shared, &wanted, patience);

    if (error)
        return error;
    count = claim_run(shared, object, wanted, kind);
    room_give(shared, (uint32_t)(wanted - count) * shared_object_pages(shared));
    if (!count)
        return 0;
    error = move_in(shared, object, count);
    if (error) {
        stream.run = 0;
        return error;
    }
    came_in(shared, object, count);
    patience->read = kind & SHARED_COPY;
    *done = true;
    return map_and_release(shared, object, count);
}

/* It is in memory; with it what follows, for a thread that goes through it in order. */
static int map_resident(struct shared *shared, uint64_t object, uint32_t word, bool *done)
{
    uint64_t most = ahead(shared, object), count = 0;

    while (count < most && of_kind(shared, object + count, word) &&
           !(count && view_has(shared, object + count)) &&
           shared_claim(shared, object + count, word))
        count++;
    if (!count)
        return 0;
    came_in(shared, object, count);
    *done = true;
    return map_and_release(shared, object, count);
}

static void say_who(struct shared *shared, uint64_t object, uint32_t owner)
{
    if (owner <= SHARED_MEMBERS)
        msg_warning(
            "region %s: process %u has been moving the object at offset %lu for %u s, and is "
            "stopped perhaps; waiting for it",
            shared->name, atomic_load(&shared->file->members[owner - 1].pid),
            (unsigned long)(object << shared->object_shift), shared_say_waits / 50);
}

/* Who is stopped in the middle of a move keeps the object until it goes on. */
static void wait_for_owner(struct shared *shared, uint64_t object, uint32_t word,
                           struct shared_patience *patience)
{
    uint32_t owner = shared_owner_of(word);

    shared_wait(shared, object, word);
    if (shared_owner_of(shared_load(shared, object)) != owner)
        patience->held = 0;
    else if (++patience->held == shared_say_waits)
        say_who(shared, object, owner);
}

static int resolve_once(struct shared *shared, uint64_t object, struct shared_patience *patience,
                        bool *done)
{
    uint32_t word = shared_load(shared, object);

    if (shared_owner_of(word) && shared_state_of(word) == SHARED_EVICTING) {
        shared_take_back(shared, object, word);
        return 0;
    }
    if (shared_owner_of(word)) {
        wait_for_owner(shared, object, word, patience);
        return 0;
    }
    switch (shared_state_of(word)) {
    case SHARED_POISONED:
        return -EIO;
    case SHARED_RESIDENT:
        return map_resident(shared, object, word, done);
    case SHARED_FILLING:
    case SHARED_EVICTING:
    case SHARED_DROPPING: /* by nobody: the file is damaged there */
        shared_recover(shared, object, 0);
        return 0;
    default:
        return bring_in(shared, object, word & (SHARED_STATE | SHARED_COPY), patience, done);
    }
}

/* /dev/shm is full, of what others have put there: the region does with less, if it has anything
 * there, and else waits a while. */
static int find_memory(struct shared *shared, struct shared_patience *patience)
{
    uint32_t events = room_events(shared);

    if (clock_make_some(shared))
        return -EAGAIN;
    if (patience->full++ == FULL_TRIES)
        return -ENOSPC;
    futex_wait_shared(&shared->file->events, events, FULL_SLEEP_NS);
    return -EAGAIN;
}

/* Once more, from within the gate or from outside. */
static int again(struct shared_patience *patience)
{
    if (patience->rounds++ < ROUNDS_INSIDE)
        return 0;
    patience->rounds = 0;
    return -EAGAIN;
}

int shared_fault(struct shared *shared, const void *address, struct shared_patience *patience)
{
    uint64_t object = shared_object_of(shared, address);
    bool done = false;
    int error = 0;

    while (!done && !error) {
        error = resolve_once(shared, object, patience, &done);
        if (error == -ENOSPC)
            error = find_memory(shared, patience);
        if (!done && (!error || error == -EAGAIN))
            error = again(patience);
    }
    if (!error)
        TRACE_PROBE(shared_fault, shared->file->id, object, patience->read);
    if (room_is_low(shared) && !atomic_exchange(&shared->wanted, 1))
        futex_wake_all(&shared->wanted);
    return error == -EFAULT ? -EIO : error; /* no memory where the file says that there is */
}

/* ---- Pins ---- */

/* The pin is counted: from when nobody owns the object and we have it, nobody unmaps it. */
static int hold(struct shared *shared, uint64_t object, struct shared_patience *patience)
{
    int error = 0;

    while (!error) {
        uint32_t word = atomic_load(&shared->file->objects[object].word);
        if (!shared_owner_of(word) && view_has(shared, object))
            return 0;
        error = shared_fault(shared, shared_view(shared, object), patience);
    }
    return error;
}

static _Atomic uint32_t *pinned(struct shared *shared)
{
    return &shared->file->members[shared->member].pinned;
}

static void unpin(struct shared *shared, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++)
        if (atomic_fetch_sub(&shared->pins[i], 1) == 1)
            atomic_fetch_sub(pinned(shared), 1);
}

/* So that everybody can go on, all members together pin no more than a half. */
static bool too_many_pinned(struct shared *shared)
{
    uint64_t objects = 0;

    for (unsigned i = 0; i < SHARED_MEMBERS; i++)
        objects += atomic_load(&shared->file->members[i].pinned);
    return objects * shared_object_pages(shared) > atomic_load(&shared->file->limit) / 2;
}

static int pin_object(struct shared *shared, uint64_t object, struct shared_patience *patience)
{
    uint16_t before = atomic_load(&shared->pins[object]);
    int error = 0;

    do {
        if (before == UINT16_MAX)
            return -ENOMEM;
    } while (!atomic_compare_exchange_weak(&shared->pins[object], &before, before + 1));
    if (before == 0)
        atomic_fetch_add(pinned(shared), 1);
    if (before == 0 && too_many_pinned(shared))
        error = -ENOMEM;
    if (!error)
        error = hold(shared, object, patience);
    if (error)
        unpin(shared, object, object + 1);
    return error;
}

static uint64_t end_object(const struct shared *shared, const void *address, size_t size)
{
    return min_u64(shared_object_of(shared, (const char *)address + size - 1) + 1, shared->count);
}

int shared_pin(struct shared *shared, const void *address, size_t size,
               struct shared_patience *patience)
{
    uint64_t first = shared_object_of(shared, address), end, at = first;
    int error = 0;

    if (!size)
        return 0;
    end = end_object(shared, address, size);
    for (; at < end && !error; at++)
        error = pin_object(shared, at, patience);
    if (error)
        unpin(shared, first, at - 1);
    return error;
}

void shared_unpin(struct shared *shared, const void *address, size_t size)
{
    if (size)
        unpin(shared, shared_object_of(shared, address), end_object(shared, address, size));
}
