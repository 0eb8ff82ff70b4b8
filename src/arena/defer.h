/* SPDX-License-Identifier: MIT */
/*
 * Pages that are to enter compressed RAM, until a thread has time to pack them: copies, in a few
 * places. Any thread inside the gate, and the swap thread.
 */
#ifndef USWAP_ARENA_DEFER_H
#define USWAP_ARENA_DEFER_H

#include "object/object.h"

struct deferred {
    object_t page;
    slot_t slot;
    uint64_t checksum;
    char *content;
};

/* Once, at start. */
int defer_init(void) must_check;

/* Note a page that the caller owns, with what its slot holds. false: all places are taken. */
bool defer_put(object_t page, const void *content);

/* How many wait. */
unsigned defer_ready(void);

/* One of them, the caller's until defer_done(); NULL: there is none. */
struct deferred *defer_take(void);
void defer_done(struct deferred *deferred);

/* Own the page, if its slot still holds what was noted; *word is what its object had. End that. */
bool defer_claim(const struct deferred *deferred, uint64_t *word) must_check;
void defer_publish(const struct deferred *deferred, uint64_t word);

#endif
