/* SPDX-License-Identifier: MIT */
/*
 * The window and its regions. A region takes whole chunks (CHUNK_SIZE) of the window, so that
 * address to region is one look into a table. Pages of a region may be unmapped in any order; the
 * addresses of a chunk come back when the last of its pages is.
 *
 * A region's description is never unmapped and found without a lock: who faults on a region that is
 * being released finds either the region or none. Changes take RANK_REGION.
 */
#ifndef USWAP_ARENA_REGION_H
#define USWAP_ARENA_REGION_H

#include "arena/window.h"
#include "object/object.h"
#include "uswap/uswap.h"

enum region_advice {
    REGION_NORMAL,
    REGION_RANDOM,
    REGION_SEQUENTIAL,
};

/* With the NUL. */
#define REGION_NAME_SIZE 32

struct region {
    object_t first; /* its first page in the window */
    uint32_t pages; /* as mapped, without the rest of the last chunk */
    uint32_t live;  /* not unmapped yet */
    bool charged;   /* its pages are committed */
    _Atomic uint8_t advice;
    _Atomic bool gone; /* some of its pages have been unmapped */
    char name[REGION_NAME_SIZE];
    _Atomic uint64_t reads;     /* faults that read from a store */
    _Atomic uint64_t evictions; /* objects */
    _Atomic int clean_score;    /* see clean.c */
    _Atomic int pack_score;     /* see pack.c */
    struct region *next_free;
};

/* Reserve the window, as large as address space allows. */
int region_init(void) must_check;

/* Make a region; options are valid. -ENOMEM: no room in the window. */
int region_make(size_t size, const struct uswap_map_options *options,
                struct region **region) must_check;

/* Take pages off a region: discarded whole chunks, and SLOT_GONE pages elsewhere. Chunks without
 * pages are free again; the last pages free the region. */
void region_remove(struct region *region, object_t first, uint32_t pages);

/*
 * Make a region of whole chunks and objects of one page, of which only the first `pages` pages are
 * mapped. -ENOMEM: no room in the window.
 */
int region_make_loose(uint64_t pages, const char *name, object_t *first) must_check;

/*
 * Map those pages of a range that are not mapped, fresh: in free chunks as new regions of whole
 * chunks, elsewhere as pages of the region that is there. -ENOMEM: no room for descriptions;
 * -EINVAL: a region of larger objects, or one that ends before its chunk does. Undo is unmapping.
 */
int region_fill(object_t first, uint64_t pages, const char *name) must_check;

/* Before pages are unmapped that go on to count as live: the tables say page by page which. */
void region_open_gaps(object_t first, uint32_t pages);

/* Pages that were lent are mapped, fresh. */
void region_unlend(object_t first, uint32_t pages);

/* Whether a page belongs to a region and has not been unmapped. Signal-safe. */
bool region_maps(object_t page);

/* Whether all the pages of this chunk are mapped, or lent. */
bool region_chunk_full(object_t page);

/* Pages of this chunk that are mapped, or lent. */
uint32_t region_chunk_live(object_t page);

/* The region of a page in the window, or NULL. Signal-safe. */
struct region *region_of(object_t page);

static inline bool region_has(const struct region *region, object_t page)
{
    return page - region->first < region->pages;
}

static inline object_t region_end(const struct region *region)
{
    return region->first + region->pages;
}

/* Traffic. Signal-safe. */
void region_count_read(object_t page);
void region_count_eviction(object_t object);

/* Describe the regions with the most traffic on the status page. One thread at a time. */
void region_list(void);

/* Record all regions. Those that are made meanwhile may be missing, or there twice. */
void region_trace(void);

/* Bytes in regions. */
uint64_t region_bytes(void);

/* The state of objects with these pages, in one chunk, is in use from now on: charge it. And
 * whether that of any in this chunk is. Signal-safe. */
void region_touch(object_t first, uint32_t pages);
bool region_chunk_touched(object_t page);

/* Step over those for which it is not: move *first on to the next before end, in one chunk; returns
 * for how many in a row it is, 0 at the end. */
uint32_t region_touched_run(object_t *first, object_t end);

/* Make accesses to a page that belongs to no region, or has been unmapped, a true SIGSEGV, until
 * it is mapped anew. */
void region_forbid(object_t page);

/* Chunks of the window that were ever used; all others lie behind them. */
uint32_t region_chunks_used(void);

void region_fork_child(void);

static inline object_t page_of(const void *address)
{
    return (object_t)(((uintptr_t)address - window.base) >> PAGE_SHIFT);
}

static inline void *page_address(object_t page)
{
    return (void *)(window.base + ((uintptr_t)page << PAGE_SHIFT));
}

/* The object of a page. */
static inline object_t object_of(object_t page)
{
    return page & ~(object_pages(page) - 1);
}

#endif
