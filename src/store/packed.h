/* SPDX-License-Identifier: MIT */
/*
 * Compressed RAM: the content of slots, packed, in memory of this process, in the place of or
 * besides what the slot's file has. Whoever looks for the content of a slot looks here first.
 *
 * It is a log. Pages are appended, and leave at the other end: those that were read since they came
 * are appended again, those that the file has too are forgotten, the others are written there
 * first, many in a row. So what leaves memory together lies together in the file.
 *
 * The memory is that of segments. Whoever adds one has charged it to the budget.
 *
 * After a fork parent and child have the same, each for itself: what either forgets or writes is
 * the same content in the same slot.
 */
#ifndef USWAP_STORE_PACKED_H
#define USWAP_STORE_PACKED_H

#include "store/store.h"

#define PACKED_SEGMENT_PAGES 16u
#define PACKED_SEGMENT_BYTES (PACKED_SEGMENT_PAGES * PAGE_SIZE)

/* What packed_clean() works with, in pages: the caller charges them once, before the first segment.
 */
#define PACKED_JOBS_PAGES 140u

/* Tables for so many slots, and address space for so many segments. */
int packed_start(uint64_t slots, uint32_t max_segments) must_check;
void packed_stop(void);

/* Whether it was started. */
bool packed_is_on(void);

/* One segment more or less; -ENOMEM: the system has no memory, or address space is used up. false:
 * all of them are in use. */
int packed_add_segment(void) must_check;
bool packed_remove_segment(void) must_check;

/* Segments there are, and those of them that are free. */
uint32_t packed_segments(void);
uint32_t packed_free_segments(void);

/* Whether a page could be appended. */
bool packed_has_room(void);

/* Keep content, with its checksum unpacked, for a slot that the caller holds and nobody else knows,
 * or that is written already. false: no room. */
bool packed_put(slot_t slot, const struct packed_page *page, uint64_t checksum,
                bool in_file) must_check;

/* Whether the content of a slot is here; and get it. -ENOENT: it is not; -EBADMSG: damaged. */
bool packed_has(slot_t slot);
int packed_get(slot_t slot, void *page) must_check;

/* The slot's content is no longer needed. false: it is being written; the slot's reference is
 * dropped when that is done. */
bool packed_forget(slot_t slot) must_check;

/* Start to empty the oldest segment, or go on with it. within: by a task of the swap thread. false:
 * there is nothing to do now. */
bool packed_clean(bool within) must_check;

/* Whether many pages could be packed more densely; and do that with the oldest segment, or with the
 * next pages of it: by a task of the swap thread only. false: there is nothing to do now. */
bool packed_is_loose(void);
bool packed_condense(void);

/* Pages being written by that. */
uint32_t packed_pages_in_flight(void);

/* Somebody is to know when memory became free: called by the swap thread. */
void packed_on_progress(void (*call)(void));

/* Pages here. */
uint64_t packed_pages(void);

void packed_fork_child(void);

#endif
