/* SPDX-License-Identifier: MIT */
/* sys/mman.h, with what is newer than the headers of the C library may be. */
#ifndef USWAP_BASE_MMAN_H
#define USWAP_BASE_MMAN_H

#include <sys/mman.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

#endif
