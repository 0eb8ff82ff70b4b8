/* SPDX-License-Identifier: MIT */
/*
 * What is in flight, counted, so that fork can hold new things back and wait until nothing is.
 * Between threads of one process, also in a fault handler.
 */
#ifndef USWAP_STORE_INFLIGHT_H
#define USWAP_STORE_INFLIGHT_H

#include "base/base.h"

#include <stdatomic.h>

struct inflight {
    _Atomic uint32_t word; /* how many, and the bit INFLIGHT_HELD */
};

#define INFLIGHT_HELD (1u << 31)

/* One more; waits while held. Its end may come in another thread. */
void inflight_begin(struct inflight *inflight);
void inflight_end(struct inflight *inflight);

/* One more of somebody who is in flight already, and must not wait: nor is it held back. */
void inflight_begin_within(struct inflight *inflight);

/* Hold new ones back and wait for the end of those that are in flight; by one thread at a time. */
void inflight_hold(struct inflight *inflight);
void inflight_release(struct inflight *inflight);
bool inflight_is_held(struct inflight *inflight);

/* Nothing in flight, nothing held: for the child of a fork. */
void inflight_reset(struct inflight *inflight);

#endif
