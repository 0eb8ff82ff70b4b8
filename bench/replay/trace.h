/* SPDX-License-Identifier: MIT */
/*
 * A sequence of accesses to pages. In memory an access is one number: the page, and in the lowest
 * bit whether it is a write. A file has either the same numbers behind a magic word, or text: page
 * numbers separated by blanks, with a w behind those that are written.
 */
#ifndef USWAP_BENCH_REPLAY_TRACE_H
#define USWAP_BENCH_REPLAY_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TRACE_WRITE 1u

/* Pages of one chunk keep their places beside each other: they share a page table. */
#define TRACE_CHUNK 512u

struct trace {
    uint32_t *accesses;
    uint64_t count, room;
    uint64_t warm;  /* accesses before measuring begins */
    uint32_t limit; /* every page is below it */
    uint32_t used;  /* pages that are accessed at all */
};

static inline uint32_t trace_page(uint32_t access)
{
    return access >> 1;
}

void trace_add(struct trace *trace, uint64_t page, bool write);

/* Chunks that are not used are left out, pages are counted. Once, after the last access. */
void trace_close(struct trace *trace);

/* Read a file, and close it. Says what is wrong, and ends the program. */
void trace_load(struct trace *trace, const char *path);
void trace_save(const struct trace *trace, const char *path);

/* Read the output of valgrind --tool=lackey --trace-mem=yes. */
void trace_from_lackey(struct trace *trace, FILE *input);

/* Read a trace of uswap run --trace. */
void trace_from_faults(struct trace *trace, FILE *input);

/* What a case of the workload program does on a set of so many pages with a limit: a fill, then so
 * many accesses that are measured; 0: as many as it takes to warm up, and as many again. False:
 * there is no such case. */
bool trace_make(struct trace *trace, const char *name, uint32_t pages, uint32_t limit,
                uint64_t accesses);

void trace_free(struct trace *trace);

#endif
