/* SPDX-License-Identifier: MIT */
/* The io_uring of the swap thread, which alone may call these. */
#ifndef USWAP_STORE_URING_H
#define USWAP_STORE_URING_H

#include "store/io.h"

/* Make the ring; wake_fd is an eventfd that ends uring_wait(). -ENOSYS, -EPERM, ...: there is none.
 */
int uring_start(int wake_fd) must_check;
void uring_stop(void);

/* Whether one more request can be in flight. */
bool uring_has_room(void);

/* Put a request in flight; there is room. It may end before this returns. */
void uring_add(struct io_request *request);

/* Wait until a request has ended or wake_fd was written, and complete all that have ended. */
void uring_wait(void);

#endif
