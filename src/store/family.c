/* SPDX-License-Identifier: MIT */
/*
 * The word of a lock is the token of its holder: a waiter that has waited for a while looks whether
 * the holder lives, and takes the lock over when it does not.
 */
#include "store/family.h"

#include "base/lock.h"
#include "store/member.h"

#define TOKEN_MASK  ((1u << 30) - 1)
#define WAITERS     (1u << 31)
#define SPIN_LIMIT  200
#define PATIENCE_NS 20000000 /* before a waiter looks whether the holder lives */

static bool try_lock(struct family_lock *lock, uint32_t expected, uint32_t wanted)
{
    return atomic_compare_exchange_strong_explicit(&lock->word, &expected, wanted,
                                                   memory_order_acquire, memory_order_relaxed);
}

static bool spin(struct family_lock *lock)
{
    for (int round = 0; round < SPIN_LIMIT; round++) {
        if (atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 &&
            try_lock(lock, 0, member_token()))
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
            if (try_lock(lock, 0, member_token() | WAITERS))
                return false;
            continue;
        }
        if (!(seen & WAITERS) && !try_lock(lock, seen, seen | WAITERS))
            continue;
        futex_wait_shared(&lock->word, seen | WAITERS, PATIENCE_NS);
        if (atomic_load_explicit(&lock->word, memory_order_relaxed) == (seen | WAITERS) &&
            !member_token_lives(seen & TOKEN_MASK) &&
            try_lock(lock, seen | WAITERS, member_token() | WAITERS))
            return true;
    }
}

bool family_lock_take(struct family_lock *lock)
{
    if (likely(try_lock(lock, 0, member_token())) || spin(lock))
        return false;
    return wait_for(lock);
}

bool family_lock_try(struct family_lock *lock)
{
    uint32_t seen = atomic_load_explicit(&lock->word, memory_order_relaxed);

    if (seen && member_token_lives(seen & TOKEN_MASK))
        return false;
    return try_lock(lock, seen, member_token() | (seen & WAITERS));
}

void family_lock_drop(struct family_lock *lock)
{
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) & WAITERS)
        futex_wake_all_shared(&lock->word);
}
