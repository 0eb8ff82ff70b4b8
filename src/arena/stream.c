/* SPDX-License-Identifier: MIT */
/*
 * Each thread remembers the few streams it followed last, and the few single faults: where the next
 * fault would be, upwards and downwards, and how far the last one went ahead. A fault next to a
 * single one makes a stream of it; a fault where a stream goes on doubles its distance. A stream
 * takes the place of the stream that has been still for longest, a single fault that of the oldest
 * single one: faults here and there do not end a stream.
 *
 * Pages that were in memory already are passed without a fault, so a stream goes on when the fault
 * is not farther away than it went ahead. Where a page on the way there would have to be read it
 * was not passed: then the stream may have met a fault here and there. Among so many pages that are
 * gone these meet it now and then by chance; if it was not much sooner than that, the stream halves
 * its distance. Distances are bounded by what the stream has gone through, so one that stops has
 * wasted about as much as it was useful before: what it has not reached, and as much again where
 * that was being read already (prefetch.c).
 */
#include "arena/stream.h"

#include <stdbool.h>
#include <stddef.h>

#define STREAMS 8

/* So many times sooner than by chance. */
#define SOONER 8

struct stream {
    object_t next;  /* where it goes on */
    object_t below; /* where it does when it goes down */
    uint32_t ahead; /* how far the last fault went; 0: there is none */
    uint32_t came;  /* pages that it brought in */
    uint32_t used;  /* when that was */
    bool down;      /* the way it goes */
};

static __thread struct stream known[2 * STREAMS]; /* the streams, then the single faults */
static __thread struct stream *last;              /* the one of the last fault */
static __thread uint32_t now;
static __thread uint32_t passed;

static bool is_single(const struct stream *entry)
{
    return entry >= known + STREAMS;
}

/* Of so many from here on. */
static struct stream *oldest(struct stream *of)
{
    struct stream *best = &of[0];

    for (int i = 1; i < STREAMS; i++) {
        if (now - of[i].used > now - best->used)
            best = &of[i];
    }
    return best;
}

/* A single fault becomes a stream. */
static struct stream *promote(struct stream *entry)
{
    struct stream *stream = oldest(known);

    if (!is_single(entry))
        return entry;
    *stream = *entry;
    entry->ahead = 0;
    return stream;
}

/* So many pages may have been passed without a fault. */
static uint32_t slack(const struct stream *entry, bool down)
{
    return is_single(entry) || entry->down != down ? 0 : entry->ahead;
}

/* The one that goes on, or would, with this page. */
static struct stream *find(object_t page, bool down)
{
    for (int i = 0; i < 2 * STREAMS; i++) {
        object_t passed_by = down ? known[i].below - page : page - known[i].next;
        if (known[i].ahead && passed_by <= slack(&known[i], down))
            return &known[i];
    }
    return NULL;
}

/* Whether it goes on, rather than that a fault was near by chance; the pages between are given. */
static bool goes_on(const struct stream *stream, object_t first, object_t end,
                    const struct stream_around *around)
{
    uint64_t by_chance = around->gone / stream->ahead;

    return now - stream->used < by_chance / SOONER || around->here(first, end);
}

/* How far a stream that goes on goes ahead. */
static uint32_t farther(const struct stream *stream, bool on, uint32_t limit)
{
    uint64_t most = min_u64(limit, STREAM_AHEAD_MAX);
    uint64_t ahead = on ? 2 * (uint64_t)stream->ahead : stream->ahead / 2;

    return (uint32_t)max_u64(min_u64(ahead, most), 1);
}

uint32_t stream_next(object_t page, uint32_t limit, const struct stream_around *around)
{
    struct stream *stream = find(page, false);
    bool on = stream && goes_on(stream, stream->next, page, around);
    uint32_t ahead = stream ? farther(stream, on, limit) : 1;

    passed = on ? stream->came : 0;
    last = stream ? promote(stream) : oldest(known + STREAMS);
    *last = (struct stream){page, page - 1, ahead, ahead, ++now, false};
    return ahead;
}

uint32_t stream_passed(void)
{
    return passed;
}

void stream_extend(object_t page, uint32_t pages, uint32_t came)
{
    if (last && last->next == page)
        *last = (struct stream){page + pages, page - 1, pages, came, now, false};
}

uint32_t stream_down(object_t page, uint32_t limit, const struct stream_around *around)
{
    const struct stream *stream = find(page, true);
    bool on = stream && goes_on(stream, page + 1, stream->below + 1, around);

    return stream ? (uint32_t)min_u64(farther(stream, on, limit), limit) : 0;
}

void stream_extend_down(object_t page, uint32_t pages)
{
    struct stream *stream = find(page + pages - 1, true);

    if (!stream)
        return;
    last = promote(stream);
    *last = (struct stream){page + pages, page - 1, pages, pages, ++now, true};
}
