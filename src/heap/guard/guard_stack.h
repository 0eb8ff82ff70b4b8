/* SPDX-License-Identifier: MIT */
/*
 * Stacks in the window: the kernel puts signal frames on them, SIGBUS for a fault among them, and
 * cannot fault them in. So a stack that a program takes from the heap is pinned.
 *
 * Known are stacks given to pthread_attr_setstack(), sigaltstack(), and makecontext(). Coroutines
 * that switch by their own code are not.
 */
#ifndef USWAP_HEAP_GUARD_STACK_H
#define USWAP_HEAP_GUARD_STACK_H

#include <signal.h>

/* The thread has a new signal stack, or none. */
void guard_stack_signals(const stack_t *stack);

#endif
