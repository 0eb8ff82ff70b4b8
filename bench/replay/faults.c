/* SPDX-License-Identifier: MIT */
/*
 * A trace of uswap run --trace has the accesses that made faults, and what was read ahead: that
 * counts as touched, which most of it is soon. With a small budget this is what a program does at
 * full speed, without what a memory of that budget hides: whatever is touched so often that it
 * never left counts as not used at all, here and in every policy.
 */
#include "../work/measure.h"
#include "base/base.h"
#include "observe/trace_format.h"
#include "trace.h"

#include <stdlib.h>

struct event {
    uint64_t time, order;
    uint32_t page, pages;
    bool write;
};

struct events {
    struct event *all;
    uint64_t count, room;
};

static void add_event(struct events *events, const struct trace_record *record)
{
    bool ahead = record->kind == TRACE_AHEAD, fresh = record->value == TRACE_FAULT_FRESH;

    if (events->count == events->room) {
        events->room = max_u64(2 * events->room, 4096);
        events->all = realloc(events->all, events->room * sizeof(*events->all));
        if (!events->all)
            die("replay: no memory for %llu faults", (unsigned long long)events->room);
    }
    events->all[events->count] = (struct event){
        record->time,
        events->count,
        record->page,
        ahead ? record->pages : 1,
        ahead ? fresh : record->flags & TRACE_BY_WRITE,
    };
    events->count++;
}

static bool is_access(const struct trace_record *record)
{
    return (record->kind >= TRACE_FAULT_FRESH && record->kind <= TRACE_FAULT_PROTECTED) ||
           record->kind == TRACE_AHEAD;
}

static void read_records(struct events *events, FILE *file, uint32_t size)
{
    struct trace_record record;
    unsigned extra = 0;

    for (; size >= sizeof(record) && fread(&record, sizeof(record), 1, file) == 1;
         size -= (uint32_t)sizeof(record)) {
        if (extra) {
            extra--;
            continue;
        }
        extra = record.extra;
        if (is_access(&record))
            add_event(events, &record);
    }
}

static int by_time(const void *left, const void *right)
{
    const struct event *a = left, *b = right;

    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

void trace_from_faults(struct trace *trace, FILE *input)
{
    struct trace_header header;
    struct trace_block block;
    struct events events = {0};

    if (fread(&header, sizeof(header), 1, input) != 1 || header.magic != TRACE_MAGIC ||
        header.version != TRACE_VERSION)
        die("replay: stdin is no trace of this version of uswap");
    while (fread(&block, sizeof(block), 1, input) == 1 && block.magic == TRACE_BLOCK_MAGIC) {
        if (block.type == TRACE_RECORDS)
            read_records(&events, input, block.size);
        else
            for (uint32_t i = 0; i < block.size; i++)
                getc(input);
    }
    qsort(events.all, events.count, sizeof(*events.all), by_time);
    for (uint64_t i = 0; i < events.count; i++)
        for (uint32_t page = 0; page < events.all[i].pages; page++)
            trace_add(trace, events.all[i].page + page, events.all[i].write);
    free(events.all);
}
