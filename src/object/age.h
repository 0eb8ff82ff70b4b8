/* SPDX-License-Identifier: MIT */
/*
 * How old the objects of this process are, as the members of a pool compare it: the epoch of the
 * pool (pool_file.h) advances with every AGE_STEP objects that come into memory in any of them.
 * For each ring of the object pool it is noted at every AGE_STEP-th entry.
 *
 * Under the lock of the object pool. Without a pool of processes nothing is noted.
 */
#ifndef USWAP_OBJECT_AGE_H
#define USWAP_OBJECT_AGE_H

#include "base/ring.h"

#define AGE_STEP 64

/* Room for the notes. -ENOMEM. Once, after a pool was joined. */
int age_init(void) must_check;

/* The ring has got the entry with this sequence number, a multiple of AGE_STEP. */
void age_note(const struct ring *ring, bool hot, uint32_t sequence);

/* So many masked pages were touched, of those that are masked. When that happens often enough, tell
 * the others that what we have is used. Without the lock. */
void age_touched(uint32_t pages, uint64_t masked);

/* Tell the others how old the next object to leave is: the first entry of this ring. */
void age_publish(const struct ring *ring, bool hot);

#endif
