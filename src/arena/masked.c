/* SPDX-License-Identifier: MIT */
#include "arena/masked.h"

#include "arena/region.h"
#include "base/msg.h"
#include "mask/mask.h"
#include "object/pool.h"

typedef int (*move_run_fn)(object_t page, uint32_t count, frame_t frame);

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

static int run_out(object_t page, uint32_t count, frame_t frame)
{
    size_t moved;

    return mask_move(frame_address(frame), page_address(page), (size_t)count * PAGE_SIZE, &moved);
}

static int run_in(object_t page, uint32_t count, frame_t frame)
{
    size_t moved;

    return mask_move(page_address(page), frame_address(frame), (size_t)count * PAGE_SIZE, &moved);
}

static int each_live_run(object_t first, uint32_t pages, frame_t frame, move_run_fn move)
{
    object_t end = first + pages, at = first;
    uint32_t count;
    int error = 0;

    for (; !error && (count = object_live_run(&at, end)); at += count)
        error = move(at, count, frame + (at - first));
    return error;
}

int masked_move_out(object_t first, uint32_t pages, frame_t frame)
{
    int error = each_live_run(first, pages, frame, run_out);

    if (!error) {
        put_gone_holes(first, pages, frame);
        return 0;
    }
    /* Pages that are missing in a frame stay where they are. */
    if (each_live_run(first, pages, frame, run_in))
        msg_error("%u pages at %p cannot be moved back into place", pages, page_address(first));
    frame_put_holes((struct frame_run){frame, pages});
    return error;
}

int masked_move_in(object_t first, uint32_t pages, frame_t frame)
{
    object_t end = first + pages, at = first;
    uint32_t count;
    int error = each_live_run(first, pages, frame, run_in);

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
