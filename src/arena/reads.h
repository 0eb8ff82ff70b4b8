/* SPDX-License-Identifier: MIT */
/*
 * Several reads of the stores at once, into pages that need not be neighbours: pages are added in
 * the order of their slots, as far as they have one, and slots in a row make one read. One thread.
 * The memory is the caller's and must stay until the reads have ended.
 */
#ifndef USWAP_ARENA_READS_H
#define USWAP_ARENA_READS_H

#include "arena/supply.h"
#include "observe/trace_format.h"
#include "store/store.h"

/* Reads in flight at a time. */
#define READS_MAX 8

struct reads {
    struct iovec buffers[SUPPLY_RUNS_MAX]; /* of all reads together */
    unsigned buffer_count;
    unsigned buffers_begun; /* those that belong to a read already */
    slot_t run_first;       /* slots of pages that belong to none yet */
    uint32_t run_count;
    struct store_read reads[READS_MAX];
    unsigned count;
    bool early;    /* they may be waited for much later, or given up */
    bool unpacked; /* a page came from compressed RAM */
};

void reads_start(struct reads *reads, bool early);

/* Fill a page with what its slot holds: at once where it has none, or is in compressed RAM; else
 * when reads_end() has returned. Of more than READS_MAX reads the first are waited for. */
int reads_add(struct reads *reads, slot_t slot, char *page) must_check;

/* Begin the read of the pages that were added last. */
void reads_begin(struct reads *reads);

/* Whether reads_add() would wait for the first reads now. */
bool reads_are_full(const struct reads *reads, slot_t slot);

/* Wait for all. The first error. */
int reads_end(struct reads *reads) must_check;

/* Of early reads: whether the device is at the last one, and so at all; their end when nobody wants
 * them. */
bool reads_are_begun(const struct reads *reads);
void reads_give_up(struct reads *reads);

/* Where the pages came from: a store, compressed RAM alone, or nowhere. */
enum trace_kind reads_source(const struct reads *reads);

#endif
