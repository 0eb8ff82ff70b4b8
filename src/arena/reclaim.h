/* SPDX-License-Identifier: MIT */
/* Slots that objects in memory keep although they could do without, taken back when stores are
 * full. */
#ifndef USWAP_ARENA_RECLAIM_H
#define USWAP_ARENA_RECLAIM_H

#include "base/base.h"

/* Free at least `want` slots kept by resident objects, if there are; returns how many. */
uint32_t reclaim_slots(uint32_t want);

#endif
