/* SPDX-License-Identifier: MIT */
/* A system call as the program wants it, from wherever it was made. */
#ifndef USWAP_HEAP_GUARD_SERVE_H
#define USWAP_HEAP_GUARD_SERVE_H

#include "base/base.h"

#include <ucontext.h>

/*
 * Make the call: with its memory pinned, and with whatever else the library must do for it. The
 * result, or -errno. context: what the SIGSYS handler interrupted, whose return would undo changes
 * of the signal mask and the signal stack; NULL: not in a handler.
 */
long guard_serve(long number, const long arguments[6], ucontext_t *context);

/* Whether the call is more to the library than the memory it uses. */
bool guard_serve_is_special(long number, const long arguments[6]);

/* Whether the call comes back on another stack, so that it cannot be made on behalf of the program.
 */
bool guard_serve_moves_stack(long number, const long arguments[6]);

#endif
