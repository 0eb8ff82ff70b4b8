/* SPDX-License-Identifier: MIT */
/* fork() of a process with a window. */
#ifndef USWAP_HEAP_FORK_H
#define USWAP_HEAP_FORK_H

#include "base/base.h"

/* Register the handlers, before anybody else does. 0 or -errno. */
int fork_register(void) must_check;

#endif
