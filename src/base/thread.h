/* SPDX-License-Identifier: MIT */
/*
 * Threads that libc does not know of: the program stays single-threaded in libc's eyes, and one can
 * be started from a fault handler. Such a thread runs with all signals blocked, on its own stack
 * and its own block of thread-local storage, in which only zero-initialised variables of this
 * library may be used. It calls no libc function that allocates, locks or sets errno.
 */
#ifndef USWAP_BASE_THREAD_H
#define USWAP_BASE_THREAD_H

#include "base/base.h"

/* Start run(argument) on a new thread; it never returns. From any thread, also in a signal handler.
 * A fork's child does not have the thread. -EAGAIN, -ENOMEM. */
int thread_start(void (*run)(void *), void *argument) must_check;

/*
 * Run it to its end in a process of its own, which shares memory and descriptors with this one:
 * whoever kills this one does not kill that. run ends by SYS_exit; -EFAULT: not with 0. -EAGAIN:
 * there are too many. From any process that shares this memory.
 */
int thread_run_apart(void (*run)(void *), void *argument) must_check;

/* Processors that this process may run on; 1 where that cannot be asked. */
unsigned thread_processors(void);

#endif
