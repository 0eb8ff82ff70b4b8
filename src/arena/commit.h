/* SPDX-License-Identifier: MIT */
/*
 * Commitment: no more is promised than budget and stores can hold, so that what was promised can
 * always be kept. The promises of a process and of those it forked draw on the same stores and are
 * counted together; those of a process that has ended are given back before one is refused.
 */
#ifndef USWAP_ARENA_COMMIT_H
#define USWAP_ARENA_COMMIT_H

#include "base/base.h"

/* Promise bytes (the stores grow their files if needed) or give the promise back. -ENOMEM. */
int commit_take(uint64_t bytes) must_check;
void commit_give(uint64_t bytes);

/* The pool has become smaller than what is promised of its memory: promise space in the stores
 * instead, if there is some. Waits for the file system. */
void commit_follow(void);

/* Bytes promised by this process. */
uint64_t commit_total(void);

/* Whether all promises would hold with another budget. */
bool commit_fits(uint64_t budget);

/* Admit a child to the stores, which promises what this process has promised. -ENOMEM: that is too
 * much, -EAGAIN: there are too many processes. Undone by store_fork_dismiss(). */
int commit_fork_prepare(void) must_check;

#endif
