/* SPDX-License-Identifier: MIT */
/*
 * Moving objects of a shared region between its store and memory, a run of neighbours at a time:
 * one read or one write, for every object has its place in the store file.
 */
#ifndef USWAP_SHARED_MOVE_H
#define USWAP_SHARED_MOVE_H

#include "shared/region.h"

/* Objects that are moved at once, at most, by their size. */
uint64_t move_run_max(const struct shared *shared);

/* Bring in objects that we own, FILLING, with room taken for them: RESIDENT, still owned. On an
 * error all are as they were, released, and the room is given back; those that cannot be read
 * become POISONED. -EIO: one object, and it is lost; -EAGAIN: try with fewer; -ENOSPC. */
int move_in(struct shared *shared, uint64_t first, uint64_t count) must_check;

/* Send objects away that we own, EVICTING, and nobody maps. They are released, gone or RESIDENT.
 * Returns how many are gone. */
uint64_t move_out(struct shared *shared, uint64_t first, uint64_t count);

#endif
