/* SPDX-License-Identifier: MIT */
/*
 * The object pool: which objects are in memory, and in which order they leave.
 *
 * Three first-in first-out rings. New objects go to the cold ring. From the cold ring (or the hot
 * one, when the cold ring is small) they are masked: they stay in memory, in frames, in the masked
 * ring. A masked object that is touched proves that it is used: it goes to the hot ring. One that
 * is not touched leaves memory when it reaches the end of the masked ring. An object that comes
 * back soon after it left goes to the hot ring at once; but only one of some while that is full and
 * loses what comes back. So a scan flows through the cold ring and leaves the hot ring alone. (The
 * structure is that of 2Q, Johnson and Shasha 1994, and S3-FIFO, Yang et al. 2023, with the mask in
 * the place of an access bit.)
 *
 * Entries are not removed when an object changes state otherwise: an entry counts only while the
 * object says that this is its entry, by its sequence number. A full ring is cleaned of stale ones.
 *
 * One lock (RANK_POOL); all functions are safe in the fault handler.
 */
#ifndef USWAP_OBJECT_POOL_H
#define USWAP_OBJECT_POOL_H

#include "object/frame.h"
#include "object/object.h"

/* Make room for the objects of a budget of so many pages; it only grows. -ENOMEM. */
int pool_set_budget(uint64_t pages) must_check;

/* Make count neighbouring objects RESIDENT that the caller owns; flags: OBJECT_HOT, OBJECT_AHEAD, a
 * mark of OBJECT_CLEAN_MASK. */
void pool_add(object_t first, uint32_t count, uint64_t flags);

/* A RESIDENT object that the caller owns for a moment, and which had this word, is again as it was:
 * in its place, unless somebody has passed it over meanwhile. */
void pool_put_back(object_t object, uint64_t word);

/* Make an object MASKED that the caller owns and whose content is in frames from first. It keeps
 * OBJECT_HOT and OBJECT_AHEAD. */
void pool_add_masked(object_t object, frame_t first);

/* Whether a victim leaves by being dropped: it is clean, and no second chance is due to one that
 * was not touched again soon. */
static inline bool pool_may_drop(uint64_t word)
{
    return object_is_clean(word) && !(word & OBJECT_HOT);
}

/* How many objects to claim: up to so many pages together (at least one object), of those that
 * cannot be dropped up to so many runs of neighbours, and so many of those that can. */
struct pool_wish {
    unsigned objects;
    uint32_t pages;
    unsigned runs;
    unsigned drops;
};

/* Claim the objects that should be masked or dropped next. Returns how many; they are the caller's.
 */
unsigned pool_claim_victims(object_t *victims, const struct pool_wish *wish);

/* Claim the objects that have been masked longest, as above. */
unsigned pool_claim_masked(object_t *victims, unsigned max_objects, uint32_t max_pages);

/* Pages in the masked ring that still count, about. */
uint64_t pool_masked_pages(void);

/* A masked object has left the masked ring other than by pool_claim_masked(): its owner says so. */
void pool_note_unmasked(uint32_t pages);

/* The same, because it was touched; and how many pages have been so far, modulo 2^32. */
void pool_note_touched(uint32_t pages);
uint32_t pool_touched_pages(void);

/* An object that had this word has left memory; it keeps OBJECT_HOT. */
void pool_note_left(uint64_t word);

/* Whether an object that comes back soon after it left, and has this word, is to be hot. */
bool pool_takes_returned(uint64_t word);

/* Objects in the cold and the hot ring, stale ones included. */
uint64_t pool_resident_count(void);

/* Tell the members of a pool of processes how old our next victim is. */
void pool_publish_tail(void);

void pool_fork_child(void);

#endif
