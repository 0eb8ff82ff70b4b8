/* SPDX-License-Identifier: MIT */
/*
 * The members of a shared region. A member holds the lock on the byte of the region's file that is
 * its number (base/alive.h); the kernel drops it when the process dies. Whoever finds that a member
 * is gone takes its byte, gives back what it held, and drops the byte.
 */
#ifndef USWAP_SHARED_MEMBER_H
#define USWAP_SHARED_MEMBER_H

#include "shared/region.h"

/* Take a free place. -EAGAIN: SHARED_MEMBERS are there. */
int member_join(struct shared *shared) must_check;

/* Give the place back; nothing is mapped or owned by us. */
void member_leave(struct shared *shared);

/* If this member is dead: finish what it was at, take its bits off all objects, give its room back.
 */
void member_reap(struct shared *shared, unsigned member);

/* The same for all that have a place. Returns how many others are alive. */
unsigned member_reap_all(struct shared *shared);

#endif
