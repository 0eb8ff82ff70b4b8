/* SPDX-License-Identifier: MIT */
/* Keeps a program from closing the library's descriptors. */
#ifndef USWAP_HEAP_GUARD_FD_H
#define USWAP_HEAP_GUARD_FD_H

#include "base/base.h"

/* Whether a descriptor is not there for the program. */
bool guard_fd_is_ours(int fd) must_check;

/* close_range(2) around our descriptors. 0 or -errno. */
long guard_fd_close_range(unsigned first, unsigned last, unsigned flags);

#endif
