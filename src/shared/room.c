/* SPDX-License-Identifier: MIT */
/*
 * The lock. Everything that counts changes while a member holds it, for a few instructions. Who
 * finds it held by a member that has died takes it over and counts anew: what is resident, by the
 * words of the objects, and what members have pending. So a count that was half changed is put
 * right before anybody sees it.
 *
 * The word holds the number of the holder + 1 and, above it, how often its place had been taken: of
 * two that have the same number one after the other, the second does not look like the first.
 */
#include "shared/room.h"

#include "base/lock.h"
#include "base/msg.h"
#include "shared/member.h"
#include "shared/object.h"

#define WAITED   0x80000000u
#define NUMBER   0xffu
#define JOINED   8 /* where that begins */
#define SLEEP_NS 20000000

/* Less than this part of the limit: the threads make room, until there is as much again. */
#define LOW_PART 32

_Static_assert(SHARED_MEMBERS < NUMBER, "a number + 1 fits");

static uint32_t my_word(const struct shared *shared)
{
    return ((shared->joined << JOINED) & ~WAITED) | (shared->member + 1);
}

static bool resident(uint32_t word)
{
    enum shared_state state = shared_state_of(word);

    return state == SHARED_RESIDENT || state == SHARED_EVICTING || state == SHARED_DROPPING;
}

static void count_anew(struct shared *shared)
{
    uint64_t pages = 0;

    for (uint64_t i = 0; i < shared->count; i++)
        pages += resident(shared_load(shared, i)) ? shared_object_pages(shared) : 0;
    for (unsigned i = 0; i < SHARED_MEMBERS; i++)
        pages += atomic_load(&shared->file->members[i].pending);
    atomic_store(&shared->file->used, pages);
}

/* The holder has died: false when somebody else was faster, or it has not. */
static bool inherit(struct shared *shared, uint32_t word)
{
    uint32_t holder = word & NUMBER;

    if (holder == shared->member + 1 || alive_is_held(&shared->alive, holder - 1))
        return false;
    if (!atomic_compare_exchange_strong(&shared->file->room_lock, &word, my_word(shared) | WAITED))
        return false;
    count_anew(shared);
    return true;
}

static void lock_room(struct shared *shared)
{
    _Atomic uint32_t *lock = &shared->file->room_lock;
    uint32_t word = 0, mine = my_word(shared);
    unsigned waits = 0;

    if (atomic_compare_exchange_strong(lock, &word, mine))
        return;
    for (;;) {
        if (!word) {
            /* Others may be waiting, too. */
            if (atomic_compare_exchange_strong(lock, &word, mine | WAITED))
                return;
            continue;
        }
        if (!(word & WAITED) && !atomic_compare_exchange_strong(lock, &word, word | WAITED))
            continue;
        futex_wait_shared(lock, word | WAITED, SLEEP_NS);
        if (atomic_load(lock) == (word | WAITED) && inherit(shared, word | WAITED))
            return;
        if (++waits == shared_say_waits)
            msg_warning("region %s: another process has been counting for %u s, and is stopped "
                        "perhaps; waiting for it",
                        shared->name, shared_say_waits / 50);
        word = atomic_load(lock);
    }
}

static void unlock_room(struct shared *shared)
{
    if (atomic_exchange(&shared->file->room_lock, 0) & WAITED)
        futex_wake_all_shared(&shared->file->room_lock);
}

static void more_room(struct shared *shared)
{
    atomic_fetch_add(&shared->file->events, 1);
    futex_wake_all_shared(&shared->file->events);
}

static _Atomic uint32_t *pending(struct shared *shared, unsigned member)
{
    return &shared->file->members[member].pending;
}

bool room_take(struct shared *shared, uint32_t pages)
{
    struct shared_file *file = shared->file;
    bool fits;

    lock_room(shared);
    fits = atomic_load(&file->used) + pages <= atomic_load(&file->limit);
    if (fits) {
        atomic_fetch_add(&file->used, pages);
        atomic_fetch_add(pending(shared, shared->member), pages);
    }
    unlock_room(shared);
    return fits;
}

void room_give(struct shared *shared, uint32_t pages)
{
    if (!pages)
        return;
    lock_room(shared);
    atomic_fetch_sub(&shared->file->used, pages);
    atomic_fetch_sub(pending(shared, shared->member), pages);
    unlock_room(shared);
    more_room(shared);
}

void room_settle(struct shared *shared, uint64_t first, uint64_t count)
{
    lock_room(shared);
    for (uint64_t i = first; i < first + count; i++)
        shared_set(shared, i, SHARED_RESIDENT | (shared_load(shared, i) & SHARED_COPY));
    atomic_fetch_sub(pending(shared, shared->member),
                     (uint32_t)count * shared_object_pages(shared));
    unlock_room(shared);
}

void room_release(struct shared *shared, uint64_t first, uint64_t count)
{
    lock_room(shared);
    for (uint64_t i = first; i < first + count; i++)
        shared_release(shared, i, shared_absent(shared_load(shared, i)));
    atomic_fetch_sub(&shared->file->used, count * shared_object_pages(shared));
    unlock_room(shared);
    more_room(shared);
}

static uint64_t left(const struct shared *shared)
{
    uint64_t used = atomic_load(&shared->file->used), limit = atomic_load(&shared->file->limit);

    return used < limit ? limit - used : 0;
}

static uint64_t low(const struct shared *shared)
{
    return max_u64(atomic_load(&shared->file->limit) / LOW_PART, shared_object_pages(shared));
}

bool room_is_low(const struct shared *shared)
{
    return left(shared) < low(shared);
}

bool room_is_plenty(const struct shared *shared)
{
    return left(shared) >= 2 * low(shared);
}

uint32_t room_events(const struct shared *shared)
{
    return atomic_load(&shared->file->events);
}

void room_wait(struct shared *shared, uint32_t events)
{
    futex_wait_shared(&shared->file->events, events, SLEEP_NS / 2);
}

void room_recover(struct shared *shared, unsigned dead)
{
    uint32_t word = atomic_load(&shared->file->room_lock);

    if ((word & NUMBER) != dead + 1 ||
        !atomic_compare_exchange_strong(&shared->file->room_lock, &word, my_word(shared) | WAITED))
        return;
    count_anew(shared);
    unlock_room(shared);
}

void room_forget_member(struct shared *shared, unsigned member)
{
    lock_room(shared);
    atomic_store(pending(shared, member), 0);
    count_anew(shared);
    unlock_room(shared);
    more_room(shared);
}
