/* SPDX-License-Identifier: MIT */
/* Whether what is in a file or on a device may be overwritten. At start only, by one thread. */
#ifndef USWAP_STORE_CLAIM_H
#define USWAP_STORE_CLAIM_H

#include "base/base.h"

/* Bytes at both ends of a device where file systems and others leave their marks: never used for
 * data, so that a mark that comes later is seen. */
#define CLAIM_EDGE (128 * KIB)

/* Whether a file of so many bytes holds nothing but zeros, as far as it is looked at. */
bool claim_file(int fd, uint64_t size);

/* Whether a device holds nothing, or is marked as swap space and nothing else. */
bool claim_device(int fd, uint64_t size);

/* Mark it as ours, and read that back. 0 or -errno; -EINVAL: the file does not take such IO. */
int claim_mark(int fd);

#endif
