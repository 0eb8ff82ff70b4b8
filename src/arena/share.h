/* SPDX-License-Identifier: MIT */
/* Shared regions in this process: their faults, and the thread that makes room in them. */
#ifndef USWAP_ARENA_SHARE_H
#define USWAP_ARENA_SHARE_H

#include "base/base.h"

/* The fault is in a shared region, and was resolved, or not, with this error. In the handler. */
bool share_handle(const void *address, int *error) must_check;

/* uswap_pin() and uswap_unpin(): false, the range does not begin in a shared region. */
bool share_pin(const void *address, size_t size, int *error) must_check;
bool share_unpin(const void *address, size_t size) must_check;

/* fork: nobody attaches or detaches meanwhile. prepare before the gate is closed, parent also after
 * a fork that failed. */
void share_fork_prepare(void);
void share_fork_parent(void);
int share_fork_child(void) must_check;

#endif
