/* SPDX-License-Identifier: MIT */
/*
 * uswap report: what a trace holds, and what is found in it. One module for each question; all of
 * them look at the records in the order of time.
 */
#ifndef USWAP_CMD_REPORT_H
#define USWAP_CMD_REPORT_H

#include "base/base.h"
#include "observe/trace_format.h"

#include <stdio.h>

#define REPORT_COLUMNS 120 /* of time */
#define REPORT_ROWS    48  /* of addresses */
#define REPORT_REGIONS 24
#define REPORT_SITES   24
#define REPORT_CURVE   96

/* Four an octave, from 256 ns on. */
#define REPORT_LATENCIES 104

#define CHUNK_OF_PAGES 512

/* ---- The trace (report_read.c) ---- */

struct event {
    uint64_t time;
    const struct trace_record *record;
};

struct module {
    uint64_t first, end, offset;
    char id[64];
    char *path;
};

struct trace {
    struct trace_header header;
    struct event *events; /* in the order of time */
    size_t count;
    struct module *modules;
    size_t module_count;
    uint64_t duration; /* ns: the time of the last event */
    uint64_t bytes;
    uint64_t lost;
    bool ended;
    char warning[200]; /* what is wrong with the file; empty: nothing */
    void *map;
    size_t map_size;
};

/* 0, or -errno after a message. */
int trace_load(const char *path, struct trace *trace) must_check;
void trace_unload(struct trace *trace);

static inline bool event_is_fault(const struct trace_record *record)
{
    return record->kind >= TRACE_FAULT_FRESH && record->kind <= TRACE_FAULT_OTHER;
}

/* ---- Pages (report_pages.c) ---- */

struct page_state {
    uint32_t last;   /* when it was seen last, as report_reuse.c counts; 0: never */
    uint16_t behind; /* so many pages before it were read ahead, and end here */
    uint8_t ahead;   /* read ahead: 1 nothing more is known, 2 used */
};

struct chunk {
    struct page_state pages[CHUNK_OF_PAGES];
    uint32_t region; /* from 1 on; 0: none is known */
    uint32_t place;  /* among those in use, by address */
};

struct pages {
    struct chunk **chunks; /* of the window */
    uint32_t *used;        /* their numbers, ascending */
    size_t used_count;
};

int pages_open(struct pages *pages, const struct trace *trace) must_check;
void pages_close(struct pages *pages);

/* NULL: nothing has been touched there. */
static inline struct chunk *pages_chunk(const struct pages *pages, uint32_t page)
{
    return pages->chunks[page / CHUNK_OF_PAGES];
}

static inline struct page_state *pages_at(const struct pages *pages, uint32_t page)
{
    struct chunk *chunk = pages_chunk(pages, page);

    return chunk ? &chunk->pages[page % CHUNK_OF_PAGES] : NULL;
}

/* ---- What is found ---- */

enum latency_kind {
    LATENCY_READ,
    LATENCY_PACKED,
    LATENCY_MASKED,
    LATENCY_FRESH,
    LATENCY_OTHER,
    LATENCY_KINDS,
};

struct region_sum {
    uint64_t address, size, object_size;
    char name[33];
    uint64_t reads, packed, touches, fresh; /* faults */
    uint64_t ahead, left;                   /* pages */
    uint64_t time;                          /* ns of its faults */
};

struct site {
    char function[160]; /* who touched memory */
    char place[200];    /* its source line or module */
    char through[100];  /* the function of a library that it called to do so; may be empty */
    uint64_t samples, reads;
    uint64_t time; /* ns of all such faults, as the samples say */
};

struct level {
    uint32_t resident, masked, swapped, budget; /* pages */
    uint32_t packed_memory, packed_content;     /* compressed RAM: of resident; of swapped */
};

struct report {
    const struct trace *trace;
    /* report_sum.c */
    uint64_t kinds[TRACE_KINDS];
    uint64_t pages[TRACE_KINDS]; /* of all records of a kind */
    uint64_t fault_time[LATENCY_KINDS];
    uint64_t by_call;
    uint32_t threads;
    struct level levels[REPORT_COLUMNS];
    uint64_t packed_peak; /* pages of content in compressed RAM, at most */
    uint64_t demand_peak; /* pages: resident and swapped together, at most */
    uint64_t latency[LATENCY_KINDS][REPORT_LATENCIES];
    uint64_t io_time[2]; /* ns: read, write */
    /* report_heat.c */
    uint32_t reads[REPORT_ROWS][REPORT_COLUMNS];
    uint32_t seen[REPORT_ROWS][REPORT_COLUMNS];
    uint64_t row_address[REPORT_ROWS];
    unsigned rows;
    /* report_regions.c */
    struct region_sum regions[REPORT_REGIONS];
    unsigned region_count;
    uint32_t regions_total;
    uint64_t ahead_pages, ahead_packed; /* the second is a part of the first */
    uint64_t ahead_passed, ahead_touched, ahead_unseen;
    /* report_reuse.c */
    struct {
        uint64_t bytes;
        uint64_t misses; /* pages */
    } curve[REPORT_CURVE];
    unsigned curve_count;
    uint64_t accesses;    /* pages */
    double sampled;       /* the part of the pages that was looked at */
    uint64_t recommended; /* bytes; 0: nothing is known to help */
    uint64_t recommended_misses, needed;
    /* report_sites.c */
    struct site sites[REPORT_SITES];
    unsigned site_count;
    uint64_t stacks, sites_total;
    const char *symbols; /* what is missing for names; NULL: nothing */
};

void report_sum(struct report *report);
void report_heat(struct report *report, const struct pages *pages);
int report_regions(struct report *report, struct pages *pages) must_check;
int report_reuse(struct report *report, struct pages *pages) must_check;
int report_sites(struct report *report) must_check;

/* The middle of a bucket of latencies, in ns: its upper edge. */
uint64_t report_latency_edge(unsigned bucket);

/* Everything as one JSON object. */
void report_write_json(const struct report *report, FILE *out);

static inline unsigned report_column(const struct report *report, uint64_t time)
{
    unsigned column =
        (unsigned)((double)time * REPORT_COLUMNS / ((double)report->trace->duration + 1));

    return column < REPORT_COLUMNS ? column : REPORT_COLUMNS - 1;
}

#endif
