/* SPDX-License-Identifier: MIT */
/* Keeps libc from blocking the signals that the library needs. */
#ifndef USWAP_HEAP_GUARD_LIBC_H
#define USWAP_HEAP_GUARD_LIBC_H

#include "base/base.h"

/*
 * libc blocks all signals, by system calls of its own, when it starts a thread, spawns a process or
 * raises a signal, and touches the heap meanwhile: a new thread reads its locale there. The thread
 * that it starts for timers keeps them blocked. Make libc leave our signals open. After
 * libc_find(), while there is one thread; with_filter: trapped calls are served. Returns how many
 * places were changed.
 *
 * The threads of aio and getaddrinfo_a() are started with SIGSYS blocked already: the first trap
 * would kill. guard_aio.c does without them.
 */
unsigned guard_libc_open_signals(bool with_filter);

#endif
