/* SPDX-License-Identifier: MIT */
/* The program's io_uring: buffers of requests are resident until their completions are there. */
#ifndef USWAP_HEAP_GUARD_URING_H
#define USWAP_HEAP_GUARD_URING_H

#include "base/base.h"

/* The three system calls. The result, or -errno. */
long guard_uring_setup(const long arguments[6]);
long guard_uring_enter(const long arguments[6]);
long guard_uring_register(const long arguments[6]);

/* A descriptor of the program is about to be closed. */
void guard_uring_close(int fd);

#endif
