/* SPDX-License-Identifier: MIT */
/*
 * The signal blocker: no signal handler runs on this thread between sigblock_enter() and
 * sigblock_leave(). Library locks outside the fault handler are held inside such a pair. Faults on
 * the window still work in it as long as SIGBUS stays open, so SIGBUS, SIGSEGV and SIGSYS do.
 */
#ifndef USWAP_BASE_SIGBLOCK_H
#define USWAP_BASE_SIGBLOCK_H

#include "base/sys.h"

#include <signal.h>
#include <stdint.h>

/* The kernel's signal set: bit n - 1 is signal n. */
typedef uint64_t sigblock_mask;

static inline sigblock_mask sigblock_bit(int signo)
{
    return (sigblock_mask)1 << (signo - 1);
}

static inline sigblock_mask sigblock_enter(void)
{
    sigblock_mask all = ~(sigblock_bit(SIGBUS) | sigblock_bit(SIGSEGV) | sigblock_bit(SIGSYS));
    sigblock_mask old = 0;

    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(old));
    return old;
}

static inline void sigblock_leave(sigblock_mask old)
{
    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof(old));
}

#endif
