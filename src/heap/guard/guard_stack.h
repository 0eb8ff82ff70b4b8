/* SPDX-License-Identifier: MIT */
/*
 * Stacks in the window. On most of them faults and signals are no matter, for they arrive on
 * another (arena/sigstack.h). Pinned is what the kernel must find there: signal stacks; those that
 * pthread_attr_setstack() and clone() are given, because a thread or process starts on them before
 * it has a signal stack; and where there are no signal stacks of ours, those of makecontext().
 */
#ifndef USWAP_HEAP_GUARD_STACK_H
#define USWAP_HEAP_GUARD_STACK_H

#include <signal.h>

/* What the thread gets when the program asks for this signal stack: one of ours if it asks for
 * none, of which it is not told. */
stack_t guard_stack_effective(const stack_t *asked);
void guard_stack_hide(stack_t *old);

/* The thread has a new signal stack, or none. */
void guard_stack_signals(const stack_t *stack);

/* Keep the stack below this address resident, as far down as a process that clone() makes is likely
 * to go: its size is not known. NULL: it is not in the window, or held already. */
void *guard_stack_hold_below(const void *top);
void guard_stack_let_go(void *held);

#endif
