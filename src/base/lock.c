/* SPDX-License-Identifier: MIT */
/*
 * Locks of three states: 0 free, 1 held, 2 held and perhaps waited for. A waiter sets 2 before it
 * sleeps and when it gets the lock, so that a holder who drops a 2 wakes one; an uncontended pair
 * costs two atomic operations and no system call. A sleeper's named waker is the holder.
 */
#include "base/lock.h"

#include "base/sys.h"

#include <linux/futex.h>
#include <time.h>

static void wait_on(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns, int scope)
{
    struct timespec timeout = {(time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000)};

    sys_call(SYS_futex, word, FUTEX_WAIT | scope, value, timeout_ns ? &timeout : NULL);
}

static void wake(_Atomic uint32_t *word, int count, int scope)
{
    sys_call(SYS_futex, word, FUTEX_WAKE | scope, count);
}

void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
    wait_on(word, value, timeout_ns, FUTEX_PRIVATE_FLAG);
}

void futex_wake_all(_Atomic uint32_t *word)
{
    wake(word, INT32_MAX, FUTEX_PRIVATE_FLAG);
}

void futex_wait_shared(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
    wait_on(word, value, timeout_ns, 0);
}

void futex_wake_all_shared(_Atomic uint32_t *word)
{
    wake(word, INT32_MAX, 0);
}

#ifdef USWAP_DEBUG
/* The ranks this thread holds, as bits: a rank may be taken only above all of them. */
static __thread uint32_t held;

void lock_check_take(uint32_t rank)
{
    if (held >> rank)
        __builtin_trap();
    held |= 1u << rank;
}

void lock_check_drop(uint32_t rank)
{
    if (!(held & 1u << rank))
        __builtin_trap();
    held &= ~(1u << rank);
}

static void check_reset(const struct lock *lock)
{
    held &= ~(1u << lock->rank);
}

bool lock_any_held(void)
{
    return held != 0;
}
#else
static void check_reset(const struct lock *lock)
{
    (void)lock;
}

bool lock_any_held(void)
{
    return false;
}
#endif

static void take_slowly(struct lock *lock)
{
    for (int spin = 0; spin < 100; spin++) {
        uint32_t free = 0;
        if (atomic_compare_exchange_weak_explicit(&lock->word, &free, 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
        futex_wait(&lock->word, 2, 0);
}

void lock_take(struct lock *lock)
{
    uint32_t free = 0;

    lock_check_take(lock->rank);
    if (unlikely(!atomic_compare_exchange_strong_explicit(
            &lock->word, &free, 1, memory_order_acquire, memory_order_relaxed)))
        take_slowly(lock);
}

void lock_drop(struct lock *lock)
{
    lock_check_drop(lock->rank);
    if (unlikely(atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2))
        wake(&lock->word, 1, FUTEX_PRIVATE_FLAG);
}

void lock_reset(struct lock *lock)
{
    check_reset(lock);
    atomic_store_explicit(&lock->word, 0, memory_order_release);
}
