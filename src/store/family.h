/* SPDX-License-Identifier: MIT */
/*
 * The family: the process that opened the stores and all that forked from it. They share slots,
 * and locks that survive the death of their holder.
 *
 * A member holds one seat, from family_start() or family_fork_child() until it ends in whatever
 * way. Any thread with signals blocked and any fault handler may call these.
 */
#ifndef USWAP_STORE_FAMILY_H
#define USWAP_STORE_FAMILY_H

#include "base/base.h"

#include <stdatomic.h>

#define FAMILY_SEATS 4096

/* Become the first member. */
int family_start(void) must_check;

/* End the family in this process: gives the seat back. */
void family_stop(void);

/* In the child of a fork: become a member of its own. */
void family_fork_child(void);

/* A lock in memory shared by the family; zero is free. */
struct family_lock {
    _Atomic uint32_t word;
};

/* True: the lock came from a member that died holding it, and what it guards must be put right. */
bool family_lock_take(struct family_lock *lock) must_check;

/* Take it if it is free; true: taken. */
bool family_lock_try(struct family_lock *lock) must_check;

void family_lock_drop(struct family_lock *lock);

#endif
