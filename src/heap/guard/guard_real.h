/* SPDX-License-Identifier: MIT */
/*
 * For the interposed libc functions: the real ones, and calls with pinned memory that set errno.
 *
 * A call that touches no window memory goes on to libc, so it stays a cancellation point and
 * whatever else libc makes of it. One that does is made from the stub, which saves the trap.
 */
#ifndef USWAP_HEAP_GUARD_REAL_H
#define USWAP_HEAP_GUARD_REAL_H

#include "arena/window.h"
#include "base/base.h"
#include "heap/guard/guard_call.h"

/* The function of this name that the program would have without us. Ends the process if there is
 * none. */
void *guard_real(const char *name) must_check;

#define REAL(name)                                                                                 \
    (__extension__({                                                                               \
        static __typeof__(&name) real_;                                                            \
        if (unlikely(!real_))                                                                      \
            real_ = (__typeof__(&name))(uintptr_t)guard_real(#name);                               \
        real_;                                                                                     \
    }))

/* The value a libc function returns, and errno. */
long guard_result(long result);

/* guard_call() for a call that may block: a cancellation point. */
long guard_call_blocking(long number, const long arguments[6]);

#define GUARD_ARGUMENTS(...) ((const long[6]){__VA_ARGS__})
#define PINNED(number, ...)  guard_result(guard_call(number, GUARD_ARGUMENTS(__VA_ARGS__)))
#define PINNED_BLOCKING(number, ...)                                                               \
    guard_result(guard_call_blocking(number, GUARD_ARGUMENTS(__VA_ARGS__)))

static inline bool in_window(const void *address)
{
    return unlikely(window_contains(address));
}

#endif
