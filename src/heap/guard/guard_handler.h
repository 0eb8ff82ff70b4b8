/* SPDX-License-Identifier: MIT */
/*
 * The program's handlers of other signals. They arrive on a signal stack, as ours do, for the stack
 * that they interrupt may be swapped out; the program does not know, and its handlers run where
 * they would have (arena/sigstack.h).
 *
 * Limits: handlers that libc gives its own two signals arrive on the stack that they interrupt.
 */
#ifndef USWAP_HEAP_GUARD_HANDLER_H
#define USWAP_HEAP_GUARD_HANDLER_H

#include <signal.h>

typedef void (*guard_handler)(int signo);

void guard_handler_start(void);

/* What a signal has or had. */
struct guard_handler_kept {
    guard_handler handler; /* the program's */
    unsigned long added;   /* flags that the program did not ask for */
};
struct guard_handler_kept guard_handler_kept(int signo);

/* What the kernel is to be told instead of this action. Changes handler and flags. */
void guard_handler_wrap(int signo, guard_handler *handler, unsigned long *flags);

/* What the program is to be told instead of what the kernel has: guard_handler_kept() was this
 * before the action was changed. */
void guard_handler_unwrap(struct guard_handler_kept before, guard_handler *handler,
                          unsigned long *flags);

#endif
