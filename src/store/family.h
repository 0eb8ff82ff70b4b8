/* SPDX-License-Identifier: MIT */
/*
 * Locks in memory shared by the family (member.h), which survive the death of their holder. Any
 * thread with signals blocked and any fault handler may take them.
 */
#ifndef USWAP_STORE_FAMILY_H
#define USWAP_STORE_FAMILY_H

#include "base/base.h"

#include <stdatomic.h>

/* Zero is free. */
struct family_lock {
    _Atomic uint32_t word;
};

/* True: the lock came from a member that died holding it, and what it guards must be put right. */
bool family_lock_take(struct family_lock *lock) must_check;

/* Take it if it is free or came from a member that died, which is not told: for what nobody leaves
 * half done. True: taken. */
bool family_lock_try(struct family_lock *lock) must_check;

void family_lock_drop(struct family_lock *lock);

#endif
