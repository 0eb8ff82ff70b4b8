/* SPDX-License-Identifier: MIT */
/* Keeps a program from closing the library's descriptors. */
#ifndef USWAP_HEAP_GUARD_FD_H
#define USWAP_HEAP_GUARD_FD_H

/* close_range(2) around our descriptors. 0 or -errno. */
long guard_fd_close_range(unsigned first, unsigned last, unsigned flags);

#endif
