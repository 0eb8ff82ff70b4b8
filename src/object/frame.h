/* SPDX-License-Identifier: MIT */
/*
 * Frames: page-sized places outside the window. A frame is a hole (no page is there), free (a page
 * is there, its content is nobody's) or in use (it holds a page of a masked object, or IO is done
 * on it). The area has more frames than the budget has pages, so that runs of holes are easy to
 * find.
 *
 * A frame with a page is charged to the budget by whoever made the page present; a page that moves
 * between window and frame stays charged.
 *
 * All functions are safe in the fault handler; one lock (RANK_FRAME) guards the bitmaps.
 */
#ifndef USWAP_OBJECT_FRAME_H
#define USWAP_OBJECT_FRAME_H

#include "base/base.h"

typedef uint32_t frame_t;
#define FRAME_NONE UINT32_MAX

struct frame_run {
    frame_t first;
    uint32_t count;
};

/* Reserve and cover the area for a budget that may grow to max_pages; use it for pages now. */
int frame_init(uint64_t max_pages) must_check;
void frame_set_budget(uint64_t pages);

void *frame_address(frame_t frame);

/*
 * Take exactly count free frames, as few runs as can be found: all or none. Returns the number of
 * runs, at most max_runs; 0: there are not that many.
 */
unsigned frame_take_free(uint32_t count, struct frame_run *runs, unsigned max_runs) must_check;

/* Take up to want holes in a row; count 0 when there is none. */
struct frame_run frame_take_holes(uint32_t want) must_check;

/* Give frames back as free (a page is present in each) or as holes (none is). */
void frame_put_free(struct frame_run run);
void frame_put_holes(struct frame_run run);

/* Free frames now. */
uint64_t frame_free_count(void);

/* The object whose masked content starts at a frame, and its sequence number in the pool's masked
 * ring: guarded by the pool's lock. */
struct frame_owner {
    uint32_t object;
    uint32_t sequence;
};
struct frame_owner *frame_owner(frame_t frame);

void frame_fork_child(void);

#endif
