/* SPDX-License-Identifier: MIT */
/* What is known of each page of the window, in chunks for those where something was touched. */
#include "report.h"

#include <errno.h>
#include <stdlib.h>

#define CHUNKS_MAX ((size_t)(UINT32_MAX / CHUNK_OF_PAGES) + 1)

static int touch(struct pages *pages, uint32_t number)
{
    if (pages->chunks[number])
        return 0;
    pages->chunks[number] = calloc(1, sizeof(struct chunk));
    pages->used_count++;
    return pages->chunks[number] ? 0 : -ENOMEM;
}

static int touch_run(struct pages *pages, const struct trace_record *record)
{
    uint64_t end = min_u64((uint64_t)record->page + max_u64(record->pages, 1), UINT32_MAX);
    int error = 0;

    for (uint64_t at = record->page; !error && at < end; at += CHUNK_OF_PAGES)
        error = touch(pages, (uint32_t)(at / CHUNK_OF_PAGES));
    return error || end <= record->page ? error
                                        : touch(pages, (uint32_t)((end - 1) / CHUNK_OF_PAGES));
}

static int list_used(struct pages *pages)
{
    size_t count = 0;

    pages->used = malloc((pages->used_count + 1) * sizeof(*pages->used));
    if (!pages->used)
        return -ENOMEM;
    for (size_t i = 0; i < CHUNKS_MAX && count < pages->used_count; i++) {
        if (!pages->chunks[i])
            continue;
        pages->chunks[i]->place = (uint32_t)count;
        pages->used[count++] = (uint32_t)i;
    }
    return 0;
}

int pages_open(struct pages *pages, const struct trace *trace)
{
    int error = 0;

    *pages = (struct pages){.chunks = calloc(CHUNKS_MAX, sizeof(struct chunk *))};
    if (!pages->chunks)
        return -ENOMEM;
    for (size_t i = 0; i < trace->count && !error; i++) {
        const struct trace_record *record = trace->events[i].record;
        if (event_is_fault(record) || record->kind == TRACE_AHEAD)
            error = touch_run(pages, record);
    }
    return error ? error : list_used(pages);
}

void pages_close(struct pages *pages)
{
    for (size_t i = 0; i < CHUNKS_MAX && pages->chunks; i++)
        free(pages->chunks[i]);
    free(pages->chunks);
    free(pages->used);
}
