/* SPDX-License-Identifier: MIT */
/* Traffic by region, and what became of what was read ahead. */
#include "progress.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct {
    struct region_sum *list; /* number 0: where no region is known */
    uint32_t count, room;
} regions;

static int add_region(const struct trace *trace, const struct trace_record *record,
                      uint32_t *number)
{
    struct region_sum *fresh;

    if (regions.count == regions.room) {
        uint32_t room = regions.room ? 2 * regions.room : 64;
        struct region_sum *list = realloc(regions.list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        regions.list = list;
        regions.room = room;
    }
    *number = regions.count;
    fresh = &regions.list[regions.count++];
    memset(fresh, 0, sizeof(*fresh));
    if (!record)
        return 0;
    fresh->address = trace->header.window_base + (uint64_t)record->page * PAGE_SIZE;
    fresh->size = (uint64_t)record->pages * PAGE_SIZE;
    fresh->object_size = (uint64_t)record->value * PAGE_SIZE;
    if (record->extra)
        memcpy(fresh->name, record + 1, sizeof(fresh->name) - 1);
    return 0;
}

static int map_region(const struct trace *trace, struct pages *pages,
                      const struct trace_record *record)
{
    uint64_t end = min_u64((uint64_t)record->page + record->pages, UINT32_MAX);
    uint32_t number;
    int error = add_region(trace, record, &number);

    for (uint64_t at = record->page; !error && at < end; at += CHUNK_OF_PAGES) {
        struct chunk *chunk = pages_chunk(pages, (uint32_t)at);
        if (chunk)
            chunk->region = number;
    }
    return error;
}

static struct region_sum *region_at(const struct pages *pages, uint32_t page)
{
    const struct chunk *chunk = pages_chunk(pages, page);

    return &regions.list[chunk ? chunk->region : 0];
}

static void count_traffic(const struct pages *pages, const struct trace_record *record)
{
    struct region_sum *region = region_at(pages, record->page);

    if (event_is_fault(record)) {
        region->reads += record->kind == TRACE_FAULT_READ;
        region->packed += record->kind == TRACE_FAULT_PACKED;
        region->touches +=
            record->kind == TRACE_FAULT_MASKED || record->kind == TRACE_FAULT_PROTECTED;
        region->fresh += record->kind == TRACE_FAULT_FRESH;
        region->time += record->kind == TRACE_FAULT_FRESH ? 0 : record->duration;
    } else if (record->kind == TRACE_AHEAD) {
        region->ahead += record->pages;
    } else if (record->kind == TRACE_EVICT || record->kind == TRACE_DROP) {
        region->left += record->pages;
    }
}

/* ---- Read-ahead ---- */

/* Of pages that have been in a store: fresh memory that is made ahead costs no read. */
static void begin_ahead(struct report *report, struct pages *pages,
                        const struct trace_record *record)
{
    uint32_t end = record->page + (uint32_t)min_u64(record->pages, CHUNK_OF_PAGES);
    struct page_state *behind = pages_at(pages, end);

    for (uint32_t at = record->page; at < end; at++) {
        struct page_state *page = pages_at(pages, at);
        if (page)
            page->ahead = 1;
    }
    if (behind)
        behind->behind = (uint16_t)(end - record->page);
    report->ahead_pages += end - record->page;
    if (record->value == TRACE_FAULT_PACKED)
        report->ahead_packed += end - record->page;
}

static void use_ahead(struct page_state *page, uint64_t *counter)
{
    if (!page || page->ahead != 1)
        return;
    page->ahead = 2;
    ++*counter;
}

/* A fault right behind a run: its thread has gone through it. */
static void end_run(struct report *report, struct pages *pages, uint32_t page)
{
    struct page_state *state = pages_at(pages, page);
    uint32_t first = page - (state ? state->behind : 0);

    for (uint32_t at = first; at < page; at++)
        use_ahead(pages_at(pages, at), &report->ahead_passed);
    if (state)
        state->behind = 0;
}

static void leave_memory(struct report *report, struct pages *pages,
                         const struct trace_record *record)
{
    uint64_t end = min_u64((uint64_t)record->page + record->pages, UINT32_MAX);

    for (uint64_t at = record->page; at < end; at++) {
        struct page_state *page = pages_at(pages, (uint32_t)at);
        if (!page) {
            at |= CHUNK_OF_PAGES - 1;
            continue;
        }
        report->ahead_unseen += page->ahead == 1;
        page->ahead = 0;
    }
}

static void follow_ahead(struct report *report, struct pages *pages,
                         const struct trace_record *record)
{
    if (event_is_fault(record)) {
        end_run(report, pages, record->page);
        if (record->kind == TRACE_FAULT_MASKED || record->kind == TRACE_FAULT_PROTECTED)
            use_ahead(pages_at(pages, record->page), &report->ahead_touched);
    } else if (record->kind == TRACE_AHEAD && record->value != TRACE_FAULT_FRESH) {
        begin_ahead(report, pages, record);
    } else if (record->kind == TRACE_EVICT || record->kind == TRACE_DROP ||
               record->kind == TRACE_DISCARD) {
        leave_memory(report, pages, record);
    }
}

/* ---- The list ---- */

static int by_traffic(const void *a, const void *b)
{
    const struct region_sum *x = a, *y = b;
    uint64_t of_x = x->reads + x->packed + x->ahead + x->left;
    uint64_t of_y = y->reads + y->packed + y->ahead + y->left;

    return of_x == of_y ? (x->fresh < y->fresh) - (x->fresh > y->fresh) : of_x < of_y ? 1 : -1;
}

int report_regions(struct report *report, struct pages *pages)
{
    uint32_t none;
    int error = add_region(report->trace, NULL, &none);

    for (size_t i = 0; i < report->trace->count && !error; i++) {
        const struct trace_record *record = report->trace->events[i].record;
        progress_show("regions", i, report->trace->count);
        if (record->kind == TRACE_MAP)
            error = map_region(report->trace, pages, record);
        count_traffic(pages, record);
        follow_ahead(report, pages, record);
    }
    if (!error) {
        report->regions_total = regions.count - 1;
        qsort(regions.list, regions.count, sizeof(*regions.list), by_traffic);
        report->region_count = (unsigned)min_u64(regions.count, REPORT_REGIONS);
        memcpy(report->regions, regions.list, report->region_count * sizeof(*regions.list));
    }
    free(regions.list);
    return error;
}
