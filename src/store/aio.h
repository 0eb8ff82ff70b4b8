/* SPDX-License-Identifier: MIT */
/*
 * Reads that are begun now and waited for later, so that the thread can do something useful
 * meanwhile, and reads of several threads in one submission. See io.h for the callers' side.
 */
#ifndef USWAP_STORE_AIO_H
#define USWAP_STORE_AIO_H

#include "store/io.h"

/* Begin a read of a file with O_DIRECT: -1 when that is not possible now, else what aio_wait()
 * gets. The buffers and their vector stay where they are until then. */
int aio_begin(const struct io_request *request) must_check;

/* Wait for it: true with what the kernel said (bytes or -errno); false: it was not begun after
 * all. */
bool aio_wait(int slot, long *result) must_check;

/* Whether handing over one read takes so little that leaving it to others gains nothing. */
bool aio_submit_is_cheap(void) must_check;

/* Give back what was needed for it; nothing is in flight. */
void aio_stop(void);

/* In the child of fork: nothing is in flight. */
void aio_fork_child(void);

#endif
