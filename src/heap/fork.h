/* SPDX-License-Identifier: MIT */
/* fork() of a process with a window. */
#ifndef USWAP_HEAP_FORK_H
#define USWAP_HEAP_FORK_H

#include "base/base.h"
#include "base/sigblock.h"

/* Register the handlers, before anybody else does. 0 or -errno. */
int fork_register(void) must_check;

/*
 * Around a system call that makes a process with memory of its own, without the fork handlers of
 * libc: jemalloc's locks are not taken, as libc's own would not be. begin: 0, with signals blocked,
 * or -errno when there must be no such process. end: with what the call gave, in the parent and in
 * the child (0), before it touches the window. *before is not in the window.
 */
int fork_bare_begin(sigblock_mask *before) must_check;
void fork_bare_end(long result, sigblock_mask before);

#endif
