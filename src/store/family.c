/* SPDX-License-Identifier: MIT */
/*
 * Who is alive is asked from the kernel, not guessed from process numbers, which mean nothing in
 * another pid namespace, are used again, and stay the same over an exec.
 *
 * A member of the family holds a record lock on one byte of a memory file. The kernel takes it back
 * when the process dies or executes another program, and does not give it to children. The seat is
 * the offset of that byte; a generation tells members apart that had the same seat one after
 * the other. Both together, the token, are the owner in a lock word: a waiter that has waited
 * for a while looks whether the token is still good, and takes the lock over when it is not.
 *
 * Seat 0 is for members that could get no seat: they can wait, and are never thought dead.
 */
#include "store/family.h"

#include "base/fd.h"
#include "base/lock.h"
#include "base/meta.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Since Linux 6.3; without it, some systems refuse. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

#define SEAT_BITS   12
#define SEAT_MASK   ((1u << SEAT_BITS) - 1)
#define TOKEN_MASK  ((1u << 30) - 1)
#define WAITERS     (1u << 31)
#define SPIN_LIMIT  200
#define PATIENCE_NS 20000000 /* before a waiter looks whether the holder lives */

_Static_assert(FAMILY_SEATS == 1 << SEAT_BITS, "a seat is a number of SEAT_BITS bits");

struct family {
    _Atomic uint32_t next; /* where to look for a free seat */
    _Atomic uint32_t generations[FAMILY_SEATS];
};

static struct family *family;
static int family_fd = -1;
static uint32_t own_token;

static uint32_t seat_of(uint32_t token)
{
    return token & SEAT_MASK;
}

static uint32_t make_token(uint32_t seat, uint32_t generation)
{
    /* The top bit of the generation is always set: a token is never 0. */
    return (generation << SEAT_BITS | seat | 1u << 29) & TOKEN_MASK;
}

static long lock_seat(uint32_t seat, int command, struct flock *lock)
{
    *lock =
        (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)seat, .l_len = 1};
    return sys_call(SYS_fcntl, family_fd, command, lock);
}

/* Take the first free seat. */
static void sit_down(void)
{
    own_token = make_token(0, 0);
    for (unsigned tries = 1; tries < FAMILY_SEATS; tries++) {
        uint32_t seat = atomic_fetch_add(&family->next, 1) % (FAMILY_SEATS - 1) + 1;
        struct flock lock;
        long error = lock_seat(seat, F_SETLK, &lock);

        if (error == 0) {
            own_token = make_token(seat, atomic_fetch_add(&family->generations[seat], 1) + 1);
            return;
        }
        if (error != -EAGAIN && error != -EACCES)
            return;
    }
}

int family_start(void)
{
    long fd = sys_call(SYS_memfd_create, "uswap-family", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

    if (fd == -EINVAL)
        fd = sys_call(SYS_memfd_create, "uswap-family", MFD_CLOEXEC);
    if (fd < 0)
        return (int)fd;
    family_fd = fd_move_high((int)fd);
    family = meta_reserve_shared(sizeof(*family));
    if (!family) {
        family_stop();
        return -ENOMEM;
    }
    meta_charge((int64_t)PAGE_SIZE);
    sit_down();
    return 0;
}

void family_stop(void)
{
    if (family) {
        meta_release(family, sizeof(*family));
        meta_charge(-(int64_t)PAGE_SIZE);
    }
    fd_close(family_fd);
    family = NULL;
    family_fd = -1;
}

void family_fork_child(void)
{
    sit_down();
}

static bool alive(uint32_t token)
{
    uint32_t seat = seat_of(token);
    struct flock lock;

    if (token == own_token || seat == 0)
        return true;
    if (seat == seat_of(own_token))
        return false;
    if (lock_seat(seat, F_GETLK, &lock) < 0)
        return true;
    return lock.l_type != F_UNLCK &&
           make_token(seat, atomic_load(&family->generations[seat])) == token;
}

static bool try_lock(struct family_lock *lock, uint32_t expected, uint32_t wanted)
{
    return atomic_compare_exchange_strong_explicit(&lock->word, &expected, wanted,
                                                   memory_order_acquire, memory_order_relaxed);
}

static bool spin(struct family_lock *lock)
{
    for (int round = 0; round < SPIN_LIMIT; round++) {
        if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 &&
            try_lock(lock, 0, own_token))
            return true;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    return false;
}

static bool wait_for(struct family_lock *lock)
{
    for (;;) {
        uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);

        /* Others may be waiting too: take it as one that has waiters. */
        if (seen == 0) {
            if (try_lock(lock, 0, own_token | WAITERS))
                return false;
            continue;
        }
        if (!(seen & WAITERS) && !try_lock(lock, seen, seen | WAITERS))
            continue;
        futex_wait_shared(&lock->word, seen | WAITERS, PATIENCE_NS);
        if (atomic_load_explicit(&lock->word, memory_order_relaxed) == (seen | WAITERS) &&
            !alive(seen & TOKEN_MASK) && try_lock(lock, seen | WAITERS, own_token | WAITERS))
            return true;
    }
}

bool family_lock_take(struct family_lock *lock)
{
    if (likely(try_lock(lock, 0, own_token)) || spin(lock))
        return false;
    return wait_for(lock);
}

bool family_lock_try(struct family_lock *lock)
{
    return try_lock(lock, 0, own_token);
}

void family_lock_drop(struct family_lock *lock)
{
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) & WAITERS)
        futex_wake_all_shared(&lock->word);
}
