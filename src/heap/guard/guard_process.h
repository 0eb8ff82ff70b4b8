/* SPDX-License-Identifier: MIT */
/* Processes that a program makes by system call. */
#ifndef USWAP_HEAP_GUARD_PROCESS_H
#define USWAP_HEAP_GUARD_PROCESS_H

#include "base/base.h"

/* Make a fork, vfork, clone or clone3 whose process has memory of its own and goes on where we are.
 * What it returns, or -errno. */
long guard_process_fork(long number, const long arguments[6]);

#endif
