/* SPDX-License-Identifier: MIT */
/*
 * Commitment: no more is promised than budget and stores can hold, so that what was promised can
 * always be kept. The promises of a process and of those it forked draw on the same stores and are
 * counted together, in shared memory.
 */
#ifndef USWAP_ARENA_COMMIT_H
#define USWAP_ARENA_COMMIT_H

#include "base/base.h"

int commit_init(void) must_check;

/* Promise bytes (the stores grow their files if needed) or give the promise back. -ENOMEM. */
int commit_take(uint64_t bytes) must_check;
void commit_give(uint64_t bytes);

/* Bytes promised by this process. */
uint64_t commit_total(void);

/* Whether all promises would hold with another budget. */
bool commit_fits(uint64_t budget);

/* Promise for a child what this process has promised; undo it; in the child, take it over. */
int commit_fork_prepare(void) must_check;
void commit_fork_failed(void);

/* This process ends: its promises, too. */
void commit_end(void);

#endif
