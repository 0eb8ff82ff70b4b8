/* SPDX-License-Identifier: MIT */
/*
 * A member has a place in the pool file and is alive while it holds the lock on the byte with the
 * number of that place (base/alive.h).
 *
 * States of a place; the generation counts how often it was taken:
 *
 *   FREE --join()--> TAKEN --reap()--> FREE
 *     |                ^
 *     +--fork--> AWAITED --sharing_fork_child()
 *
 *   TAKEN    the member is alive while its byte is locked; the lock was there first
 *   AWAITED  a child that could not be given a lock; it counts as alive
 *
 * A place becomes free after everything that was held there is given back, and only if nobody else
 * has freed it meanwhile, which the generation tells.
 *
 * What a newcomer cannot have as its share because all is in use it takes beyond the limit: the
 * others see that there is too much, and give it back. So a full pool stops nobody from starting.
 */
#include "object/sharing.h"

#include "base/alive.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/meta.h"
#include "base/msg.h"
#include "base/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

/* Of the pool file, what a member touches: some of its own, some of the others'. */
#define TOUCHED (4 * PAGE_SIZE)

/* While a pool is made smaller: how often the dead are looked for, and at most what is held. */
#define MS      UINT64_C(1000000)
#define REAP_MS 500
#define LOOK_MS 10

struct pool_file *sharing_file;

static struct alive alive = {.fd = -1};
static unsigned own;

/* Between prepare and what follows. */
static int child_fd = -1;
static unsigned child_number;

struct pool_member *sharing_place(unsigned member)
{
    return &sharing_file->members[member];
}

unsigned sharing_own(void)
{
    return own;
}

uint32_t sharing_share(void)
{
    return atomic_load_explicit(&sharing_place(own)->share, memory_order_relaxed);
}

static bool is_taken(const struct pool_member *place)
{
    return (atomic_load_explicit(&place->state, memory_order_relaxed) & POOL_PLACE_MASK) !=
           POOL_FREE;
}

unsigned sharing_members(void)
{
    uint32_t count = atomic_load(&sharing_file->count);
    unsigned members = 0;

    for (unsigned member = 0; member < count; member++)
        members += is_taken(sharing_place(member));
    return members;
}

/* ---- The dead ---- */

/* What was seen is that of the dead one if the place is still the one that was found dead. */
static bool clear(struct ledger *ledger, const struct pool_member *place, uint64_t state,
                  unsigned member)
{
    struct ledger_seen seen;

    do {
        seen = ledger_look(ledger, member);
        if (atomic_load(&place->state) != state)
            return false;
    } while (!ledger_clear(ledger, member, seen));
    return true;
}

/* true: a dead member's place is free again. */
static bool reap(struct pool_file *file, const struct alive *file_alive, unsigned member)
{
    struct pool_member *place = &file->members[member];
    uint64_t state = atomic_load(&place->state);

    if ((state & POOL_PLACE_MASK) != POOL_TAKEN || alive_is_held(file_alive, member) ||
        atomic_load(&place->state) != state)
        return false;
    if (!clear(&file->pages, place, state, member) || !clear(&file->promises, place, state, member))
        return false;
    return atomic_compare_exchange_strong(&place->state, &state, state & ~POOL_PLACE_MASK);
}

static bool reap_all(struct pool_file *file, const struct alive *file_alive, unsigned except)
{
    uint32_t count = atomic_load(&file->count);
    bool found = false;

    for (unsigned member = 0; member < count; member++)
        found |= member != except && reap(file, file_alive, member);
    return found;
}

bool sharing_reap(void)
{
    return reap_all(sharing_file, &alive, own);
}

bool sharing_reap_file(struct pool_file *file, int fd)
{
    struct alive file_alive;

    alive_init(&file_alive, fd);
    return reap_all(file, &file_alive, POOL_MEMBERS);
}

/* ---- Joining ---- */

static bool change_place(struct pool_member *place, enum pool_place to)
{
    uint64_t state = atomic_load(&place->state);

    return (state & POOL_PLACE_MASK) == POOL_FREE &&
           atomic_compare_exchange_strong(&place->state, &state,
                                          (state + POOL_GENERATION) | (uint64_t)to);
}

/* The lock comes first: whoever sees the place taken finds it locked. */
static bool take_place(int fd, unsigned member)
{
    struct pool_member *place = sharing_place(member);

    if (is_taken(place))
        return false;
    if (fd < 0)
        return change_place(place, POOL_AWAITED);
    if (!alive_lock(&alive, fd, member))
        return false;
    if (change_place(place, POOL_TAKEN))
        return true;
    alive_unlock(fd, member);
    return false;
}

/* The first free place, for who has the description. */
static int find_place(int fd, unsigned *member)
{
    uint32_t count = atomic_load(&sharing_file->count);
    unsigned found = 0;

    while (found < POOL_MEMBERS && !take_place(fd, found))
        found++;
    if (found == POOL_MEMBERS)
        return -EAGAIN;
    while (count <= found && !atomic_compare_exchange_weak(&sharing_file->count, &count, found + 1))
        ;
    *member = found;
    return 0;
}

/* A newcomer's share: smaller when the shares of the others leave less than twice as much. */
static uint32_t choose_share(unsigned newcomer)
{
    uint32_t count = atomic_load(&sharing_file->count);
    uint64_t shares = 0, limit = ledger_limit(&sharing_file->pages);
    uint64_t left;

    for (unsigned member = 0; member < count; member++)
        if (member != newcomer && is_taken(sharing_place(member)))
            shares += atomic_load(&sharing_place(member)->share);
    left = shares < limit ? limit - shares : 0;
    return (uint32_t)min_u64(atomic_load(&sharing_file->share), left / 2);
}

static void take_share(unsigned member)
{
    uint32_t share = choose_share(member);

    atomic_store(&sharing_place(member)->share, share);
    if (!ledger_take(&sharing_file->pages, member, share))
        ledger_take_beyond(&sharing_file->pages, member, share);
}

/* Say who we are, for people. */
static void introduce(unsigned member)
{
    struct pool_member *place = sharing_place(member);

    atomic_store(&place->pid, (uint32_t)sys_call(SYS_getpid));
    sys_call(SYS_prctl, PR_GET_NAME, place->name);
    atomic_store(&place->wanted, 0);
    atomic_store(&place->tail_is_hot, 0);
    atomic_store(&place->tail, atomic_load(&sharing_file->epoch));
    atomic_store(&place->used, atomic_load(&sharing_file->epoch));
    atomic_store(&place->active, atomic_load(&sharing_file->epoch));
}

/* The dead are found when their places are needed, and when their memory is. */
static int admit(int fd, unsigned *member)
{
    int error = find_place(fd, member);

    if (error && sharing_reap())
        error = find_place(fd, member);
    if (!error)
        take_share(*member);
    return error;
}

int sharing_join(int fd, struct pool_file *file)
{
    int error;

    own = POOL_MEMBERS;
    sharing_file = file;
    alive_init(&alive, fd);
    sharing_reap();
    error = admit(fd, &own);
    if (error) {
        sharing_file = NULL;
        return error;
    }
    meta_charge(TOUCHED);
    introduce(own);
    return 0;
}

void sharing_leave(void)
{
    meta_charge(-(int64_t)TOUCHED);
    pool_file_unmap(sharing_file);
    fd_close(alive.fd);
    sharing_file = NULL;
}

/* ---- fork ---- */

int sharing_fork_prepare(unsigned *child)
{
    int fd = alive_open_again(&alive);
    int error = admit(fd, &child_number);

    if (error) {
        if (fd >= 0)
            sys_call(SYS_close, fd);
        return error;
    }
    child_fd = fd;
    *child = child_number;
    return 0;
}

void sharing_fork_parent(void)
{
    if (child_fd >= 0)
        sys_call(SYS_close, child_fd);
    child_fd = -1;
}

static void lock_as_process(void)
{
    struct pool_member *place = sharing_place(own);
    uint64_t state = atomic_load(&place->state);

    if (alive_lock_as_process(&alive, own))
        atomic_store(&place->state, (state & ~POOL_PLACE_MASK) | POOL_TAKEN);
}

/* Where the file cannot be mapped anew, the parent counts as alive as long as this process is. */
static void become_member(void)
{
    alive_become(&alive, child_fd);
    if (alive_map_again(&alive, sharing_file, sizeof(*sharing_file), 0))
        msg_debug("the pool's file cannot be mapped anew");
}

void sharing_fork_child(void)
{
    own = child_number;
    if (child_fd >= 0)
        become_member();
    else
        lock_as_process();
    child_fd = -1;
    introduce(own);
}

/* ---- Resizing ---- */

/* What each has borrowed beyond its part of what is too much. */
static void ask_all(struct pool_file *file)
{
    uint64_t total = ledger_total(&file->pages), limit = ledger_limit(&file->pages);
    uint64_t over = total > limit ? total - limit : 0;

    for (unsigned i = 0; i < atomic_load(&file->count); i++) {
        uint64_t held = ledger_held(&file->pages, i);
        uint64_t share = atomic_load(&file->members[i].share);
        uint64_t lent = held > share ? held - share : 0;

        /* One page, also for who has to look at its promises only. */
        if (held && !atomic_load(&file->members[i].wanted))
            pool_file_ask(file, i, (uint32_t)(min_u64(over, lent) + 1));
    }
}

static bool has_room(const struct pool_file *file)
{
    return ledger_free(&file->pages) >= 0 && ledger_free(&file->promises) >= 0;
}

static void reap_any(struct pool_file *file, int fd)
{
    if (file == sharing_file)
        sharing_reap();
    else
        sharing_reap_file(file, fd);
}

/* true: all that is held fits. The time begins anew when less is held than ever before. */
static bool shrink(struct pool_file *file, int fd, unsigned ms)
{
    uint64_t least = UINT64_MAX, begin = clock_now_ns(), reaped = 0;

    while (!has_room(file) && clock_now_ns() - begin <= ms * MS) {
        uint32_t seen = atomic_load(&file->events);

        if (clock_now_ns() - reaped >= REAP_MS * MS) {
            reap_any(file, fd);
            reaped = clock_now_ns();
        }
        if (ledger_total(&file->pages) < least)
            begin = clock_now_ns();
        least = min_u64(least, ledger_total(&file->pages));
        ask_all(file);
        atomic_fetch_add(&file->waiters, 1);
        futex_wait_shared(&file->events, seen, LOOK_MS * MS);
        atomic_fetch_sub(&file->waiters, 1);
    }
    return has_room(file);
}

int sharing_resize(struct pool_file *file, int fd, uint64_t ram, unsigned ms)
{
    uint64_t before = pool_file_ram(file);

    pool_file_resize(file, ram);
    if (ram >= before || shrink(file, fd, ms))
        return 0;
    pool_file_resize(file, before);
    return -EBUSY;
}
