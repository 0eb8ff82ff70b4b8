/* SPDX-License-Identifier: MIT */
/* The system calls of signal masks and actions, as a program makes them without libc. */
#ifndef USWAP_HEAP_GUARD_RAWSIGNAL_H
#define USWAP_HEAP_GUARD_RAWSIGNAL_H

#include "heap/guard/guard_signal.h"

/* rt_sigprocmask() with these arguments, when *mask is in force; it becomes what is to be in force
 * after it. 0 or -errno. */
long guard_rawsignal_mask(const long arguments[6], sigblock_mask *mask);

/* rt_sigaction() with these arguments. 0 or -errno. */
long guard_rawsignal_action(const long arguments[6]);

#endif
