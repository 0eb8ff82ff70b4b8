/* SPDX-License-Identifier: MIT */
/*
 * The guard: makes system calls on swapped-out memory work. The kernel cannot fault such memory in,
 * so the guard pins what a call uses, lets the call happen, and unpins.
 *
 * Two ways lead here. Interposed libc functions (guard_io.c, guard_path.c ...) see the calls that a
 * program makes by name, at a cost of nanoseconds. A seccomp filter (guard_filter.c) sends every
 * other call with a pointer into the window to a SIGSYS handler (guard_trap.c): calls made inside
 * libc, by syscall() or by inline assembly.
 */
#ifndef USWAP_HEAP_GUARD_H
#define USWAP_HEAP_GUARD_H

#include "base/base.h"

/*
 * Start, once, right after arena_start() succeeded and before any memory of the window is handed
 * out: a program that a guarded one has exec'd runs under the filter of its parent already. Calls
 * no libc function, so that the first malloc() of the process may call it. Where seccomp is
 * refused, a message says so and the interposed functions do what they can. -errno: a trapped call
 * would kill this process: do not go on.
 */
int guard_start(void) must_check;

#endif
