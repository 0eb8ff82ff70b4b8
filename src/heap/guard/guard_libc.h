/* SPDX-License-Identifier: MIT */
/* Keeps libc from blocking the signals that the library needs. */
#ifndef USWAP_HEAP_GUARD_LIBC_H
#define USWAP_HEAP_GUARD_LIBC_H

#include "base/base.h"

/*
 * libc blocks all signals, by system calls of its own, when it starts a thread, spawns a process or
 * raises a signal, and touches the heap meanwhile: a new thread reads its locale there. Make it
 * leave our signals open. After libc_find(), while there is one thread. Returns how many places
 * were changed.
 */
unsigned guard_libc_open_signals(void);

#endif
