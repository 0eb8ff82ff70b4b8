/* SPDX-License-Identifier: MIT */
/*
 * Signal stacks of ours, one for each thread of a program that knows nothing of us. Signals arrive
 * there, and not on the stack that they interrupt: that may be memory from malloc, on which the
 * program runs coroutines, and the kernel ends a process when it cannot write the frame of a
 * signal. A thread that has a signal stack of its own gets them there.
 *
 * Either way only the frame lies there, and only for a moment. The handler goes on on the stack
 * that was interrupted, as if it had arrived on it. What resolves a fault does so on our stack: of
 * the program's there may be little left.
 *
 * Limits: 4096 threads; others take the signals on the stack that they run on. All is safe in a
 * signal handler.
 */
#ifndef USWAP_ARENA_SIGSTACK_H
#define USWAP_ARENA_SIGSTACK_H

#include "base/frame.h"

#include <stdbool.h>

/* At start: for this thread, and for others from now on. */
void sigstack_start(void);

/* At start, for a program whose threads have signal stacks and run on others that have no room for
 * a handler, as those of Go's goroutines: it stays where it arrived. */
void sigstack_stay(void);

/* At start: this handler calls sigstack_settle() first, and runs one of these sa_flags. */
void sigstack_enter(frame_handler handler, int flags);

/* In such a handler: other signals that arrived with this one, and are to be handled after it, go
 * where they belong. What this one interrupted is then what the program thinks it was. */
void sigstack_settle(ucontext_t *context);

/* What a handler's sa_flags need: SA_ONSTACK once it has been started. */
int sigstack_flag(void) must_check;

/* In a handler: when it returns the thread has a signal stack of ours, unless it has another. */
void sigstack_give(ucontext_t *context);

/* The thread's signal stack when the program wants it to have none. */
stack_t sigstack_of_thread(void) must_check;
bool sigstack_is_ours(const stack_t *stack) must_check;

/* Whether this signal interrupted something that runs on our stack: a handler that is about to
 * leave it, or cannot, for there is no place for its frame. */
bool sigstack_is_interrupted(const ucontext_t *context) must_check;

/* In the child of a fork: the thread that forked keeps its stack. */
void sigstack_fork_child(void);

/* In a handler, with all signals blocked: call body(argument) where there is room for it. */
void sigstack_call(const ucontext_t *context, void (*body)(void *), void *argument);

/* In a handler, with its arguments: run another one in its place, which has these sa_flags: on the
 * stack that was interrupted, if they lack SA_ONSTACK or the program has no signal stack. */
void sigstack_run(int flags, int signo, siginfo_t *info, ucontext_t *context,
                  frame_handler handler);

/* The same, on the stack that was interrupted whatever the flags are. */
void sigstack_leave(int signo, siginfo_t *info, ucontext_t *context, frame_handler handler);

#endif
