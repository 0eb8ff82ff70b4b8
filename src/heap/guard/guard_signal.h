/* SPDX-License-Identifier: MIT */
/*
 * Signals that the library needs: SIGBUS brings memory in, SIGSYS serves trapped calls. They must
 * reach the library's handlers at any time, so what a program says about them is kept here instead
 * of being told to the kernel. The program sees the actions and masks that it set.
 *
 * Limits: a SIGBUS or SIGSYS that a process sends is delivered though the program blocks it. libc
 * blocks all signals by system calls of its own around clone(), and in the threads behind timers
 * and aio.
 */
#ifndef USWAP_HEAP_GUARD_SIGNAL_H
#define USWAP_HEAP_GUARD_SIGNAL_H

#include "base/base.h"
#include "base/sigblock.h"

#include <signal.h>

/* The signals that stay open. */
static inline sigblock_mask guard_signal_ours(void)
{
    return sigblock_bit(SIGBUS) | sigblock_bit(SIGSYS);
}

static inline bool guard_signal_is_ours(int signo)
{
    return signo == SIGBUS || signo == SIGSYS;
}

/* The kernel's part of a set. */
static inline sigblock_mask guard_signal_bits(const sigset_t *set)
{
    return *(const sigblock_mask *)set;
}

/*
 * The program changes its mask, as by sigprocmask(): what it says of our signals is noted for this
 * thread. set NULL: it only asks. Returns the bits of our signals that it had blocked before.
 */
sigblock_mask guard_signal_note_mask(int how, const sigblock_mask *set);

/* The program gives a signal an action with this mask, or asks (NULL): the bits of our signals that
 * were in the one before. */
sigblock_mask guard_signal_note_hidden(int signo, const sigblock_mask *set);

/* The program's action for one of our signals; either may be NULL. */
void guard_signal_action(int signo, const struct sigaction *action, struct sigaction *old);

/* Do what the program wants with a SIGSYS that is not ours. */
void guard_signal_forward(int signo, siginfo_t *info, void *context);

#endif
