/* SPDX-License-Identifier: MIT */
/*
 * The frame that the kernel writes to a stack when a signal arrives. A handler can go on with it on
 * another stack than the one on which it arrived, as if it had arrived there.
 */
#ifndef USWAP_BASE_FRAME_H
#define USWAP_BASE_FRAME_H

#include "base/base.h"

#include <signal.h>
#include <ucontext.h>

#if defined(__x86_64__)
#define FRAME_MOVES 1
/* What a leaf function keeps below the stack pointer (psABI). */
#define FRAME_RED_ZONE 128
#else
#define FRAME_MOVES    0
#define FRAME_RED_ZONE 0
#endif

typedef void (*frame_handler)(int signo, siginfo_t *info, void *context);

#if FRAME_MOVES
/* Call body(argument) on the stack that ends at this address, and come back. */
void frame_call_on(uintptr_t stack_end, void (*body)(void *), void *argument);

/*
 * Called by a handler with its own arguments: copy its frame below the stack that was interrupted,
 * and run this handler there in the place of the one that called. When it returns, the context is
 * put back from the copy. The stack must be writable, or the access to it be resolved by another
 * signal.
 */
_Noreturn void frame_move(int signo, siginfo_t *info, ucontext_t *context, frame_handler handler);

/* Where the kernel can read the copy of a frame, when its handler returns: the end of some memory
 * of this thread; 0: where it is. At start. */
void frame_set_place(uintptr_t (*place)(uintptr_t frame));

/* Of signals that arrive together the kernel writes all frames before a handler runs. If this one
 * interrupted another, of this handler, before its first instruction: the context of that one. */
ucontext_t *frame_before(const ucontext_t *context, frame_handler handler) must_check;

/* Copy the frame of that one to below the stack that it interrupted, as frame_move() does. */
void frame_move_before(ucontext_t *context);
#endif

#endif
