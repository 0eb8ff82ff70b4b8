/* SPDX-License-Identifier: MIT */
/*
 * What one fill brings in: the object that was touched and others that come along, each claimed by
 * this thread; the frames for their pages; and their way into the window.
 *
 * The objects stand in ascending order, in spans of neighbours. What came along is given back
 * unchanged when it cannot come. Works come from a fixed pool, for they are too large for the stack
 * of a signal handler; more threads than works wait for one. Call without locks, inside the gate.
 */
#ifndef USWAP_ARENA_WORK_H
#define USWAP_ARENA_WORK_H

#include "arena/reads.h"
#include "arena/stream.h"
#include "object/frame.h"
#include "object/object.h"

#define WORK_SPANS_MAX 16

struct span {
    object_t first, end;
};

struct work {
    object_t touched;
    object_t base; /* no object of the work lies below it */
    uint32_t step; /* pages of an object */
    unsigned span_count;
    struct span spans[WORK_SPANS_MAX];
    unsigned count;                    /* of objects */
    uint32_t wheres[STREAM_AHEAD_MAX]; /* of evicted ones, in their order */
    unsigned run_count;
    struct frame_run runs[SUPPLY_RUNS_MAX]; /* one frame a live page, in order */
    bool protect;                           /* what comes in is clean */
    struct reads reads;
    enum trace_kind source; /* where the content comes from, as the kind of the fault */
};

int work_init(void) must_check;

/* A work without objects; base: the lowest that will be added. */
struct work *work_take(object_t touched, object_t base);
void work_put(struct work *work);

/* Whether an object above all others has a place in the work, beside the touched one. */
bool work_has_room(const struct work *work, object_t object);

/* Claim an object in this state that has any live page; *word is what it had. */
bool work_claim(object_t object, enum object_state state, uint64_t *word);

/* Add an object above all others, which the caller has claimed, and which had this word. */
void work_add(struct work *work, object_t object, uint64_t word);

/* Where the last object ends. */
object_t work_end(const struct work *work);

/* Whether the touched object comes alone. */
bool work_alone(const struct work *work);
uint32_t work_live_pages(const struct work *work);

/* The objects that came along are again as they were. */
void work_give_back(struct work *work, enum object_state state);

/* Frames for all pages, or for a half of what there is, or of that, if that needs no waiting; else
 * for those of the touched object alone. */
void work_take_frames(struct work *work, enum object_state state);
void work_put_frames(struct work *work);

/* A frame for the next live page. */
void work_add_frame(struct work *work, frame_t frame);

/* Goes through the live pages of a work in order. */
struct cursor {
    const struct work *work;
    unsigned span;
    object_t at;
};

struct cursor cursor_begin(const struct work *work);

/* The next live pages in a row; 0 at the end. */
uint32_t cursor_next(struct cursor *cursor, object_t *first);

/* Goes through live pages and the frames taken for them in step. */
struct walk {
    struct cursor cursor;
    object_t page;   /* the next live page */
    uint32_t live;   /* live pages in a row from there */
    unsigned run;    /* the frame run it comes from */
    uint32_t offset; /* and how far into it */
};

struct walk walk_begin(const struct work *work);

/* The next pages that are neighbours both in the window and as frames; 0 at the end. */
uint32_t walk_next(struct walk *walk, object_t *page, frame_t *frame);

/* Bring what is in the frames into the window. On an error no page of the work is left there, and
 * the frames are free. */
int work_place(struct work *work) must_check;

/* So many live pages have been made present: they are not any more. */
void work_drop_window(struct work *work, uint32_t live);

/* All objects are RESIDENT: the touched one with these flags, the others clean if it is. */
void work_publish(struct work *work, uint64_t flags);

#endif
