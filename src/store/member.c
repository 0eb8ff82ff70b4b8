/* SPDX-License-Identifier: MIT */
/*
 * A member has a place in a shared table and is alive while it holds the lock on the byte with the
 * number of that place (base/alive.h).
 *
 * States of a place:
 *
 *   FREE --member_fork_prepare()--> TAKEN --member_forget()--> FREE
 *     |                               ^
 *     +--the same--> AWAITED --member_fork_child()
 *
 *   TAKEN    the member is alive while its byte is locked; the lock was there first
 *   AWAITED  the member counts as alive
 *
 * AWAITED is for when the parent cannot open a description for the child. If the child is killed
 * before it has locked the byte itself, it is never found dead; and its parent lives as long as the
 * child for us, for it shares the parent's description.
 *
 * A generation tells members apart that had the same place one after the other.
 */
#include "store/member.h"

#include "base/alive.h"
#include "base/fd.h"
#include "base/meta.h"
#include "base/sys.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define NUMBER_BITS 10
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)
#define TOKEN_MASK  ((1u << 30) - 1)

_Static_assert(MEMBERS_MAX == 1 << NUMBER_BITS, "a member is a number of NUMBER_BITS bits");

enum place_state {
    PLACE_FREE,
    PLACE_TAKEN,
    PLACE_AWAITED,
};

struct place {
    _Atomic uint32_t state;
    _Atomic uint32_t generation;
    _Atomic uint64_t promised;
};

struct family {
    _Atomic uint32_t count; /* places from here on were never taken */
    struct place places[MEMBERS_MAX];
};

static struct family *family;
static struct alive alive = {.fd = -1};
static unsigned own;
static uint32_t own_token;

/* Between prepare and what follows. */
static int child_fd = -1;
static unsigned child_number;

static bool change_state(unsigned member, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong(&family->places[member].state, &from, to);
}

/* Lock the byte for whoever has the description, and then take the place. */
static bool lock_place(int fd, unsigned member)
{
    if (!alive_lock(&alive, fd, member))
        return false;
    if (change_state(member, PLACE_FREE, PLACE_TAKEN))
        return true;
    alive_unlock(fd, member);
    return false;
}

static bool take_place(int fd, unsigned member)
{
    struct place *place = &family->places[member];

    if (atomic_load(&place->state) != PLACE_FREE)
        return false;
    if (fd < 0 ? !change_state(member, PLACE_FREE, PLACE_AWAITED) : !lock_place(fd, member))
        return false;
    atomic_fetch_add(&place->generation, 1);
    return true;
}

/* The first free place, for who has the description. */
static int find_place(int fd, unsigned *member)
{
    uint32_t count = atomic_load(&family->count);
    unsigned found = 0;

    while (found < MEMBERS_MAX && !take_place(fd, found))
        found++;
    if (found == MEMBERS_MAX)
        return -EAGAIN;
    while (count <= found && !atomic_compare_exchange_weak(&family->count, &count, found + 1))
        ;
    *member = found;
    return 0;
}

static uint32_t token_of(unsigned member)
{
    uint32_t generation = atomic_load(&family->places[member].generation);

    /* The top bit of the generation is always set: a token is never 0. */
    return (generation << NUMBER_BITS | member | 1u << 29) & TOKEN_MASK;
}

static void become(unsigned member)
{
    own = member;
    own_token = token_of(member);
}

int member_start(void)
{
    long fd = fd_memory_file("uswap-family", 0);
    unsigned member;
    int error;

    if (fd < 0)
        return (int)fd;
    alive_init(&alive, fd_move_high((int)fd));
    family = meta_reserve_shared(sizeof(*family));
    if (family)
        meta_charge((int64_t)align_up(sizeof(*family), PAGE_SIZE));
    error = family ? find_place(alive.fd, &member) : -ENOMEM;
    if (error)
        member_stop();
    else
        become(member);
    return error;
}

void member_stop(void)
{
    if (family) {
        meta_release(family, sizeof(*family));
        meta_charge(-(int64_t)align_up(sizeof(*family), PAGE_SIZE));
    }
    fd_close(alive.fd);
    family = NULL;
    alive.fd = -1;
}

unsigned member_own(void)
{
    return own;
}

unsigned member_count(void)
{
    return atomic_load_explicit(&family->count, memory_order_relaxed);
}

int member_fork_prepare(unsigned *child)
{
    int fd = alive_open_again(&alive);
    int error = find_place(fd, &child_number);

    if (error) {
        if (fd >= 0)
            sys_call(SYS_close, fd);
        return error;
    }
    child_fd = fd;
    atomic_store(&family->places[child_number].promised, member_promised());
    *child = child_number;
    return 0;
}

void member_fork_parent(void)
{
    if (child_fd >= 0)
        sys_call(SYS_close, child_fd);
    child_fd = -1;
}

void member_fork_child(void)
{
    become(child_number);
    if (child_fd >= 0)
        alive_become(&alive, child_fd);
    else if (alive_lock_as_process(&alive, own))
        change_state(own, PLACE_AWAITED, PLACE_TAKEN);
    child_fd = -1;
}

bool member_exists(unsigned member)
{
    return atomic_load(&family->places[member].state) != PLACE_FREE;
}

bool member_is_dead(unsigned member)
{
    return member != own && atomic_load(&family->places[member].state) == PLACE_TAKEN &&
           !alive_is_held(&alive, member);
}

void member_forget(unsigned member)
{
    atomic_store(&family->places[member].promised, 0);
    atomic_store(&family->places[member].state, PLACE_FREE);
}

uint32_t member_token(void)
{
    return own_token;
}

bool member_token_lives(uint32_t token)
{
    unsigned member = token & NUMBER_MASK;

    return token_of(member) == token && member_exists(member) && !member_is_dead(member);
}

void member_promise(int64_t bytes)
{
    atomic_fetch_add(&family->places[own].promised, (uint64_t)bytes);
}

uint64_t member_promised(void)
{
    return atomic_load(&family->places[own].promised);
}

uint64_t member_promised_by_all(void)
{
    uint64_t sum = 0;

    for (unsigned member = 0; member < member_count(); member++)
        sum += atomic_load(&family->places[member].promised);
    return sum;
}
