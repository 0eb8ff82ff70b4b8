/* SPDX-License-Identifier: MIT */
/* How much of the files is allocated and in service: enough for what the family has asked for. */
#ifndef USWAP_STORE_RESERVE_H
#define USWAP_STORE_RESERVE_H

#include "base/base.h"

/* After the stores are known. */
int reserve_start(void) must_check;
void reserve_stop(void);

/* Whether there is nothing to do for store_reserve(): no lock, no system call. */
bool reserve_is_right(uint64_t bytes);

/* As store_reserve(), with signals blocked. Sets *too_much when reserve_shrink_step() has something
 * to do. */
int reserve_bytes(uint64_t bytes, bool *too_much) must_check;

/* Bring some more into service than was asked for, if there is space and nobody else is changing
 * it. By the swap thread. */
void reserve_grow_step(void);

/* One step of giving back what is more than enough; true: there may be more. By the swap thread. */
bool reserve_shrink_step(void);

#endif
