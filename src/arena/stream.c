/* SPDX-License-Identifier: MIT */
/*
 * Each thread remembers the few streams it followed last: where the next fault of a stream would
 * be, upwards and downwards, and how far the last one went ahead. A fault there doubles the
 * distance; a fault elsewhere begins a new stream, which takes the place of the one that has been
 * still for longest. Distances are bounded, so a stream that stops has wasted no more than it was
 * useful before.
 */
#include "arena/stream.h"

#define STREAMS 8

struct stream {
    object_t next;  /* where it goes on */
    object_t below; /* where it does when it goes down */
    uint32_t ahead; /* pages brought in by the last fault */
    uint32_t used;  /* when that was */
};

static __thread struct stream streams[STREAMS];
static __thread uint32_t now;
static __thread uint32_t passed;

static struct stream *find(object_t page)
{
    for (int i = 0; i < STREAMS; i++) {
        if (streams[i].next == page && streams[i].ahead)
            return &streams[i];
    }
    return NULL;
}

static struct stream *oldest(void)
{
    struct stream *best = &streams[0];

    for (int i = 1; i < STREAMS; i++) {
        if (now - streams[i].used > now - best->used)
            best = &streams[i];
    }
    return best;
}

uint32_t stream_next(object_t page, uint32_t limit)
{
    struct stream *stream = find(page);
    uint32_t ahead = 1;

    passed = stream ? stream->ahead : 0;
    if (stream)
        ahead = (uint32_t)min_u64(2 * (uint64_t)stream->ahead, STREAM_AHEAD_MAX);
    else
        stream = oldest();
    ahead = (uint32_t)max_u64(min_u64(ahead, limit), 1);
    *stream = (struct stream){page, page - 1, ahead, ++now};
    return ahead;
}

uint32_t stream_passed(void)
{
    return passed;
}

void stream_extend(object_t page, uint32_t pages)
{
    struct stream *stream = find(page);

    if (stream)
        *stream = (struct stream){page + pages, page - 1, pages, now};
}

static struct stream *find_down(object_t page)
{
    for (int i = 0; i < STREAMS; i++) {
        if (streams[i].below == page && streams[i].ahead)
            return &streams[i];
    }
    return NULL;
}

uint32_t stream_down(object_t page, uint32_t limit)
{
    const struct stream *stream = find_down(page);

    return stream ? (uint32_t)min_u64(2 * (uint64_t)stream->ahead, limit) : 0;
}

void stream_extend_down(object_t page, uint32_t pages)
{
    struct stream *stream = find_down(page + pages - 1);

    if (stream)
        *stream = (struct stream){page + pages, page - 1, pages, ++now};
}
