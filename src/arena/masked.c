/* SPDX-License-Identifier: MIT */
#include "arena/masked.h"

#include "arena/region.h"
#include "base/msg.h"
#include "mask/mask.h"
#include "object/pool.h"

/* Move count pages; *moved is how many were, also when it fails. */
typedef int (*move_run_fn)(object_t page, uint32_t count, frame_t frame, uint32_t *moved);

static void put_gone_holes(object_t first, uint32_t pages, frame_t frame)
{
    object_t end = first + pages, at = first, before = first;
    uint32_t count;

    for (;; at += count, before = at) {
        count = object_live_run(&at, end);
        if (at > before)
            frame_put_holes((struct frame_run){frame + (before - first), at - before});
        if (!count)
            break;
    }
}

static int run_out(object_t page, uint32_t count, frame_t frame, uint32_t *moved)
{
    struct mask_span source = {page_address(page), (size_t)count * PAGE_SIZE, MASK_PROGRAM};
    size_t bytes;
    int error = mask_move(frame_address(frame), &source, &bytes);

    *moved = (uint32_t)(bytes / PAGE_SIZE);
    return error;
}

static int run_in(object_t page, uint32_t count, frame_t frame, uint32_t *moved)
{
    struct mask_span source = {frame_address(frame), (size_t)count * PAGE_SIZE, MASK_FRAMES};
    size_t bytes;
    int error = mask_move(page_address(page), &source, &bytes);

    *moved = (uint32_t)(bytes / PAGE_SIZE);
    return error;
}

/* Move the first `most` live pages; *done is how many were. */
static int move_live(object_t first, uint32_t pages, frame_t frame, move_run_fn move, uint32_t most,
                     uint32_t *done)
{
    object_t end = first + pages, at = first;
    uint32_t count;
    int error = 0;

    for (*done = 0; !error && *done < most && (count = object_live_run(&at, end)); at += count) {
        uint32_t moved;
        count = (uint32_t)min_u64(count, most - *done);
        error = move(at, count, frame + (at - first), &moved);
        *done += moved;
    }
    return error;
}

/* Move all live pages, or none. */
static int move_all(object_t first, uint32_t pages, frame_t frame, move_run_fn move,
                    move_run_fn back)
{
    uint32_t done, undone;
    int error = move_live(first, pages, frame, move, UINT32_MAX, &done);

    if (error && move_live(first, pages, frame, back, done, &undone))
        msg_error("%u pages at %p cannot be moved back into place", done, page_address(first));
    return error;
}

int masked_move_out(object_t first, uint32_t pages, frame_t frame)
{
    int error = move_all(first, pages, frame, run_out, run_in);

    if (error)
        frame_put_holes((struct frame_run){frame, pages});
    else
        put_gone_holes(first, pages, frame);
    return error;
}

int masked_move_in(object_t first, uint32_t pages, frame_t frame)
{
    object_t end = first + pages, at = first;
    uint32_t count;
    int error = move_all(first, pages, frame, run_in, run_out);

    for (; !error && (count = object_live_run(&at, end)); at += count)
        frame_put_holes((struct frame_run){frame + (at - first), count});
    return error;
}

void masked_release(object_t first, uint32_t pages, frame_t frame)
{
    object_t end = first + pages, at = first;
    uint32_t count;

    for (; (count = object_live_run(&at, end)); at += count)
        frame_put_free((struct frame_run){frame + (at - first), count});
}

void masked_requeue(object_t object, frame_t frame)
{
    pool_note_unmasked(object_pages(object));
    pool_add_masked(object, frame);
}
