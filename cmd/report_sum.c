/* SPDX-License-Identifier: MIT */
/* What can be counted record by record: totals, levels over time, latencies; and the heat maps. */
#include "progress.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

/* ---- Latencies ---- */

static unsigned latency_bucket(uint32_t ns)
{
    unsigned power, quarter, bucket;

    if (ns < 256)
        return 0;
    power = 31u - (unsigned)__builtin_clz(ns);
    quarter = ns >> (power - 2) & 3;
    bucket = (power - 8) * 4 + quarter + 1;
    return bucket < REPORT_LATENCIES ? bucket : REPORT_LATENCIES - 1;
}

uint64_t report_latency_edge(unsigned bucket)
{
    return bucket ? (uint64_t)(5 + (bucket - 1) % 4) << ((bucket - 1) / 4 + 6) : 256;
}

static enum latency_kind latency_of(const struct trace_record *record)
{
    switch (record->kind) {
    case TRACE_FAULT_READ:
        return LATENCY_READ;
    case TRACE_FAULT_PACKED:
        return LATENCY_PACKED;
    case TRACE_FAULT_MASKED:
        return LATENCY_MASKED;
    case TRACE_FAULT_FRESH:
        return LATENCY_FRESH;
    default:
        return LATENCY_OTHER;
    }
}

static void add_fault(struct report *report, const struct trace_record *record)
{
    enum latency_kind kind = latency_of(record);

    report->fault_time[kind] += record->duration;
    report->latency[kind][latency_bucket(record->duration)]++;
    report->by_call += (record->flags & TRACE_BY_CALL) != 0;
}

/* ---- Levels ---- */

static void add_level(struct report *report, const struct trace_record *record)
{
    struct level *level = &report->levels[report_column(report, record->time)];

    level->resident = record->page;
    level->masked = record->pages;
    level->swapped = record->value;
    level->budget = record->duration;
    report->demand_peak = max_u64(report->demand_peak, (uint64_t)record->page + record->value);
}

static void add_packed(struct report *report, const struct trace_record *record)
{
    struct level *level = &report->levels[report_column(report, record->time)];

    level->packed_memory = record->page;
    level->packed_content = record->pages;
    report->packed_peak = max_u64(report->packed_peak, record->pages);
}

/* Between two times that are known it is as it was. */
static void fill_levels(struct report *report)
{
    struct level last = {.budget = (uint32_t)(report->trace->header.budget / PAGE_SIZE)};

    for (unsigned i = 0; i < REPORT_COLUMNS; i++) {
        if (!report->levels[i].budget)
            report->levels[i] = last;
        last = report->levels[i];
    }
}

/* ---- Threads ---- */

#define THREADS_MAX 4096

static struct {
    uint32_t numbers[THREADS_MAX];
    uint32_t count;
} threads;

static void note_thread(uint32_t number)
{
    for (uint32_t i = 0; i < threads.count; i++)
        if (threads.numbers[i] == number)
            return;
    if (number && threads.count < THREADS_MAX)
        threads.numbers[threads.count++] = number;
}

void report_sum(struct report *report)
{
    uint32_t last = 0;

    for (size_t i = 0; i < report->trace->count; i++) {
        const struct trace_record *record = report->trace->events[i].record;
        progress_show("counting", i, report->trace->count);
        report->kinds[record->kind]++;
        report->pages[record->kind] += record->pages;
        if (event_is_fault(record) && record->thread != last)
            note_thread(last = record->thread);
        if (event_is_fault(record))
            add_fault(report, record);
        else if (record->kind == TRACE_PACKED)
            add_packed(report, record);
        else if (record->kind == TRACE_LEVELS)
            add_level(report, record);
        else if (record->kind == TRACE_READ || record->kind == TRACE_WRITE)
            report->io_time[record->kind == TRACE_WRITE] += record->duration;
    }
    fill_levels(report);
    report->threads = threads.count;
}

/* ---- Heat ---- */

static unsigned row_of(const struct pages *pages, const struct report *report, uint32_t page)
{
    const struct chunk *chunk = pages_chunk(pages, page);
    uint64_t place = (uint64_t)chunk->place * CHUNK_OF_PAGES + page % CHUNK_OF_PAGES;

    return (unsigned)(place * report->rows / (pages->used_count * CHUNK_OF_PAGES));
}

static void find_rows(struct report *report, const struct pages *pages)
{
    uint64_t all = pages->used_count * CHUNK_OF_PAGES;

    report->rows = all ? REPORT_ROWS : 0;
    for (unsigned i = 0; i < report->rows; i++) {
        uint64_t place = (i * all + report->rows - 1) / report->rows;
        uint64_t page =
            (uint64_t)pages->used[place / CHUNK_OF_PAGES] * CHUNK_OF_PAGES + place % CHUNK_OF_PAGES;
        report->row_address[i] = report->trace->header.window_base + page * PAGE_SIZE;
    }
}

static void heat_pages(struct report *report, const struct pages *pages,
                       const struct trace_record *record, uint32_t heat[][REPORT_COLUMNS])
{
    unsigned column = report_column(report, record->time);

    for (uint32_t i = 0; i < record->pages; i++)
        if (pages_chunk(pages, record->page + i))
            heat[row_of(pages, report, record->page + i)][column]++;
}

void report_heat(struct report *report, const struct pages *pages)
{
    find_rows(report, pages);
    for (size_t i = 0; i < report->trace->count; i++) {
        const struct trace_record *record = report->trace->events[i].record;
        if (event_is_fault(record))
            heat_pages(report, pages, record, report->seen);
        if (record->kind == TRACE_FAULT_READ)
            heat_pages(report, pages, record, report->reads);
    }
}
