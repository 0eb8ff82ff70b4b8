/* SPDX-License-Identifier: MIT */
/*
 * Stacks in the window: the kernel puts signal frames on them, SIGBUS for a fault among them, and
 * cannot fault them in. So a stack that a program takes from the heap is pinned.
 *
 * Known are stacks given to pthread_attr_setstack(), sigaltstack(), makecontext() and clone().
 * Coroutines that switch by their own code are not.
 */
#ifndef USWAP_HEAP_GUARD_STACK_H
#define USWAP_HEAP_GUARD_STACK_H

#include <signal.h>

/* The thread has a new signal stack, or none. */
void guard_stack_signals(const stack_t *stack);

/* Keep the stack below this address resident, as far down as a process that clone() makes is likely
 * to go: its size is not known. NULL: it is not in the window, or held already. */
void *guard_stack_hold_below(const void *top);
void guard_stack_let_go(void *held);

#endif
