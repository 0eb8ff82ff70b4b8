/* SPDX-License-Identifier: MIT */
/*
 * Who is alive is asked from the kernel, not guessed from process numbers, which mean nothing in
 * another pid namespace, are used again, and stay the same over an exec.
 *
 * A member has a place in a shared table and a lock on one byte of a memory file, whose offset is
 * the number of the place. The lock belongs to an open file description that this member alone
 * has. The parent opens it and locks the byte before the fork; then the child has it and the parent
 * closes it. So the lock is there before the child is, and goes with it, whether it dies or
 * executes another program.
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
 * AWAITED is for when a description cannot be opened: in a chroot without /proc, or without a free
 * descriptor. Then the child locks the byte itself, with a lock of the process, and so do all that
 * fork from it, for such a lock is gone when any descriptor of the file is closed. If the child is
 * killed before, it is never found dead; and its parent lives as long as the child for us, for it
 * shares the parent's description.
 *
 * A generation tells members apart that had the same place one after the other.
 */
#include "store/member.h"

#include "base/fd.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since Linux 6.3; without it, some systems refuse. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

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
static int family_fd = -1;
static unsigned own;
static uint32_t own_token;

/* Not on the stack, which may lie in the window. */
static char family_path[48];

/* Between prepare and what follows. */
static int child_fd = -1;
static unsigned child_number;

/* The lock of this process would go when another descriptor of the file is closed. */
static bool lock_is_fragile;

static long lock_byte(int fd, int command, unsigned member, struct flock *lock)
{
    lock->l_whence = SEEK_SET;
    lock->l_start = (off_t)member;
    lock->l_len = 1;
    return sys_call(SYS_fcntl, fd, command, lock);
}

/* Whether anybody but this process itself holds it. Asked for the process, not for its description,
 * which may be the one that the parent's lock belongs to. */
static bool lock_is_held(unsigned member)
{
    struct flock lock = {.l_type = F_WRLCK};

    return lock_byte(family_fd, F_GETLK, member, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* A description of its own, for the child. Not at a low number, where another thread may expect
 * what it opens. -1: not possible. */
static int open_again(void)
{
    long low, high;

    if (lock_is_fragile)
        return -1;
    low = sys_call(SYS_openat, AT_FDCWD, family_path, O_RDWR | O_CLOEXEC, 0);
    if (low < 0)
        return -1;
    high = sys_call(SYS_fcntl, low, F_DUPFD_CLOEXEC, family_fd + 1);
    if (high < 0)
        return (int)low;
    sys_call(SYS_close, low);
    return (int)high;
}

static bool change_state(unsigned member, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong(&family->places[member].state, &from, to);
}

/* Lock the byte for whoever has the description, and then take the place. */
static bool lock_place(int fd, unsigned member)
{
    struct flock lock = {.l_type = F_WRLCK};

    if (lock_byte(fd, F_OFD_SETLK, member, &lock) < 0)
        return false;
    /* A file that is not ours can hold any lock: the others would not see it. */
    if (lock_is_held(member) && change_state(member, PLACE_FREE, PLACE_TAKEN))
        return true;
    lock.l_type = F_UNLCK;
    lock_byte(fd, F_OFD_SETLK, member, &lock);
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

static long make_file(void)
{
    long fd = sys_call(SYS_memfd_create, "uswap-family", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

    if (fd == -EINVAL)
        fd = sys_call(SYS_memfd_create, "uswap-family", MFD_CLOEXEC);
    return fd;
}

int member_start(void)
{
    long fd = make_file();
    unsigned member;
    int error;

    if (fd < 0)
        return (int)fd;
    family_fd = fd_move_high((int)fd);
    fmt_write(family_path, sizeof(family_path), "/proc/thread-self/fd/%d", family_fd);
    family = meta_reserve_shared(sizeof(*family));
    if (family)
        meta_charge((int64_t)align_up(sizeof(*family), PAGE_SIZE));
    error = family ? find_place(family_fd, &member) : -ENOMEM;
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
    fd_close(family_fd);
    family = NULL;
    family_fd = -1;
    lock_is_fragile = false;
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
    int fd = open_again();
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

static void lock_as_process(void)
{
    struct flock lock = {.l_type = F_WRLCK};

    lock_is_fragile = true;
    if (lock_byte(family_fd, F_SETLK, own, &lock) == 0)
        change_state(own, PLACE_AWAITED, PLACE_TAKEN);
}

void member_fork_child(void)
{
    become(child_number);
    if (child_fd < 0)
        lock_as_process();
    /* It takes the place of the parent's. If it cannot, it stays where it is. */
    else if (sys_call(SYS_dup3, child_fd, family_fd, O_CLOEXEC) >= 0)
        sys_call(SYS_close, child_fd);
    child_fd = -1;
}

bool member_exists(unsigned member)
{
    return atomic_load(&family->places[member].state) != PLACE_FREE;
}

bool member_is_dead(unsigned member)
{
    return member != own && atomic_load(&family->places[member].state) == PLACE_TAKEN &&
           !lock_is_held(member);
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
