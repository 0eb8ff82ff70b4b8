/* SPDX-License-Identifier: MIT */
/*
 * The miss-ratio curve: how many pages would be read with another budget, from the distances
 * between two uses of a page (the number of different pages used in between).
 *
 * Only faults are seen; what is used while it is in memory is not. But what had to be read from a
 * store was farther away than memory reached, and what was found masked or in compressed RAM was
 * not. So the curve is right at the budget of the trace by construction, an estimate above it, and
 * below it the least that would be read.
 *
 * Distances come from a Fenwick tree over the uses, in which each page counts at its last one.
 * Of many uses, those of a sample of the pages are taken (SHARDS): distances and counts are those
 * of the sample, scaled.
 */
#include "arena/supply.h"
#include "progress.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>

/* Uses that are looked at, about. */
#define USES_MAX 3000000

/* What of the run's time swapping may take with the budget that is recommended. */
#define TIME_SHARE 0.02

/* Of one page in so many of the sample: 1 << 24. */
#define HASH_RANGE (1u << 24)

static struct {
    uint32_t *tree; /* from 1 on */
    uint32_t size;
    uint32_t now; /* uses so far */
    uint32_t threshold;
    double scale;
    uint64_t *misses; /* by distance in steps of the curve */
    uint64_t step;    /* pages */
    uint64_t budget;  /* pages, at the time that is looked at */
} reuse;

static bool is_sampled(uint32_t page)
{
    return (page * UINT32_C(2654435761)) >> 8 < reuse.threshold;
}

static void tree_add(uint32_t at, uint32_t value)
{
    for (; at <= reuse.size; at += at & -at)
        reuse.tree[at] += value;
}

static uint32_t tree_sum(uint32_t at)
{
    uint32_t sum = 0;

    for (; at; at -= at & -at)
        sum += reuse.tree[at];
    return sum;
}

/* A page whose use needs memory of so many pages to be found there. */
static void count_use(struct report *report, uint64_t distance, bool again)
{
    uint64_t bucket = distance / reuse.step;

    report->accesses++;
    if (again)
        reuse.misses[min_u64(bucket, REPORT_CURVE - 1)]++;
}

/* The first point of the curve at or above the budget. */
static uint64_t budget_point(void)
{
    return (reuse.budget + reuse.step - 1) / reuse.step * reuse.step;
}

static void use_page(struct report *report, struct page_state *page, uint8_t kind)
{
    uint64_t distance = 0;

    if (page->last) {
        distance = (uint64_t)((tree_sum(reuse.now) - tree_sum(page->last)) * reuse.scale);
        tree_add(page->last, UINT32_MAX); /* minus one */
        distance = kind == TRACE_FAULT_READ ? max_u64(distance, budget_point())
                                            : min_u64(distance, budget_point() - 1);
    }
    count_use(report, distance, page->last != 0);
    page->last = ++reuse.now;
    tree_add(page->last, 1);
}

/* Its content is gone: the next use is the first one of something else. */
static void forget_page(struct page_state *page)
{
    if (page->last)
        tree_add(page->last, UINT32_MAX);
    page->last = 0;
}

/* What came along came from where the fault's page did. */
static void take(struct report *report, struct pages *pages, const struct trace_record *record)
{
    bool gone = record->kind == TRACE_DISCARD || record->kind == TRACE_UNMAP;
    uint64_t end = min_u64((uint64_t)record->page + record->pages, UINT32_MAX);
    uint8_t kind = record->kind == TRACE_AHEAD ? (uint8_t)record->value : record->kind;

    for (uint64_t at = record->page; at < end; at++) {
        struct page_state *page = pages_at(pages, (uint32_t)at);
        if (!page)
            at |= CHUNK_OF_PAGES - 1;
        else if (!is_sampled((uint32_t)at))
            continue;
        else if (gone)
            forget_page(page);
        else if (reuse.now < reuse.size)
            use_page(report, page, kind);
    }
}

static bool is_use(const struct trace_record *record)
{
    return (event_is_fault(record) && record->kind != TRACE_FAULT_OTHER) ||
           record->kind == TRACE_AHEAD;
}

static uint64_t count_uses(const struct trace *trace)
{
    uint64_t uses = 0;

    for (size_t i = 0; i < trace->count; i++)
        if (is_use(trace->events[i].record))
            uses += trace->events[i].record->pages;
    return uses;
}

/* The curve reaches beyond all that the program had, and the budget is one of its points, or a few
 * pages below it. */
static uint64_t choose_step(const struct report *report)
{
    uint64_t budget = report->trace->header.budget / PAGE_SIZE;
    uint64_t reach = max_u64(report->demand_peak, budget);
    uint64_t least = reach * 5 / 4 / REPORT_CURVE + 1;

    uint64_t steps = max_u64(budget / least, 1);

    return max_u64((budget + steps - 1) / steps, least);
}

static int prepare(struct report *report, uint64_t uses)
{
    double rate = uses > USES_MAX ? (double)USES_MAX / (double)uses : 1;

    reuse.threshold = (uint32_t)(rate * HASH_RANGE);
    reuse.scale = 1 / rate;
    reuse.size = (uint32_t)((double)uses * rate * 1.2) + 1000;
    reuse.step = choose_step(report);
    reuse.budget = max_u64(report->trace->header.budget / PAGE_SIZE, 1);
    reuse.tree = calloc(reuse.size + 1u, sizeof(*reuse.tree));
    reuse.misses = calloc(REPORT_CURVE, sizeof(*reuse.misses));
    report->sampled = rate;
    return reuse.tree && reuse.misses ? 0 : -ENOMEM;
}

/* With a budget of i steps, all uses miss whose distance is i steps or more. */
static void draw_curve(struct report *report)
{
    uint64_t misses = 0;

    for (unsigned i = REPORT_CURVE; i-- > 0;) {
        misses += reuse.misses[i];
        report->curve[i].bytes = i * reuse.step * PAGE_SIZE;
        report->curve[i].misses = (uint64_t)((double)misses * reuse.scale);
    }
    report->curve_count = REPORT_CURVE;
    report->accesses = (uint64_t)((double)report->accesses * reuse.scale);
}

/* The smallest budget, not below the one there was, with which reading takes little of the run. */
static void recommend(struct report *report)
{
    uint64_t budget = report->trace->header.budget;
    uint64_t read = report->kinds[TRACE_FAULT_READ] + report->ahead_pages - report->ahead_packed;
    double each = read ? (double)report->fault_time[LATENCY_READ] / (double)read : 0;

    /* What lies in memory is not all of a budget. */
    report->needed = supply_budget_for(report->demand_peak * PAGE_SIZE);
    for (unsigned i = 0; i < report->curve_count; i++) {
        double time = (double)report->curve[i].misses * each;
        if (report->curve[i].bytes < budget || time > TIME_SHARE * (double)report->trace->duration)
            continue;
        report->recommended = report->curve[i].bytes <= budget
                                  ? budget
                                  : min_u64(supply_budget_for(report->curve[i].bytes),
                                            max_u64(report->needed, budget));
        report->recommended_misses = report->curve[i].misses;
        break;
    }
}

int report_reuse(struct report *report, struct pages *pages)
{
    int error = prepare(report, count_uses(report->trace));

    for (size_t i = 0; i < report->trace->count && !error; i++) {
        const struct trace_record *record = report->trace->events[i].record;
        progress_show("distances", i, report->trace->count);
        if (record->kind == TRACE_LEVELS)
            reuse.budget = max_u64(record->duration, 1);
        else if (is_use(record) || record->kind == TRACE_DISCARD || record->kind == TRACE_UNMAP)
            take(report, pages, record);
    }
    if (!error) {
        draw_curve(report);
        recommend(report);
    }
    free(reuse.tree);
    free(reuse.misses);
    return error;
}
