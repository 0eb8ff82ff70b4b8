/* SPDX-License-Identifier: MIT */
/*
 * Room: how many pages of a shared region may be resident, for all its members together. Pages are
 * taken before an object comes into memory, and belong to the member until it has settled them in
 * objects; they are free again when an object has left memory.
 */
#ifndef USWAP_SHARED_ROOM_H
#define USWAP_SHARED_ROOM_H

#include "shared/region.h"

bool room_take(struct shared *shared, uint32_t pages) must_check;
void room_give(struct shared *shared, uint32_t pages);

/* The owner of these objects has filled them, with room it took: RESIDENT, still owned. */
void room_settle(struct shared *shared, uint64_t first, uint64_t count);

/* The owner of these objects has dropped them from memory (DROPPING): STORED or EMPTY, released. */
void room_release(struct shared *shared, uint64_t first, uint64_t count);

/* Whether there is less left than is kept for the next faults, or as much as we make then. */
bool room_is_low(const struct shared *shared);
bool room_is_plenty(const struct shared *shared);

/* Sleep until there is more than when events had this value, at most a little while. */
uint32_t room_events(const struct shared *shared);
void room_wait(struct shared *shared, uint32_t events);

/* This member is dead, and its number nobody's or ours: it may have died while it counted. */
void room_recover(struct shared *shared, unsigned dead);

/* This member is gone, or leaves: what it had taken is free. */
void room_forget_member(struct shared *shared, unsigned member);

#endif
