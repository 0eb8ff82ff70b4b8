/* SPDX-License-Identifier: MIT */
/* Inside src/store/packed*.c only: the log of compressed RAM. */
#ifndef USWAP_STORE_PACKED_LOG_H
#define USWAP_STORE_PACKED_LOG_H

#include "base/lock.h"
#include "store/packed.h"

#define UNIT_SIZE     16u
#define SEGMENT_UNITS (PACKED_SEGMENT_BYTES / UNIT_SIZE)
#define SEGMENT_NONE  UINT32_MAX

/* Where an entry begins: in units, from the beginning of the log on, + 1. 0: nowhere. */
typedef uint32_t place_t;

enum entry_flags {
    ENTRY_READ = 1,      /* since it was appended */
    ENTRY_IN_FILE = 2,   /* the slot's file has the same */
    ENTRY_WRITING = 4,   /* it is on its way there, and stays until that has ended */
    ENTRY_FORGOTTEN = 8, /* and goes then, with the reference to the slot */
    ENTRY_ZSTD = 16,     /* packed by Zstandard, not LZ4 */
    ENTRY_TIGHT = 32,    /* to pack it more densely was tried */
};

struct entry {
    uint32_t slot;
    uint16_t size;
    _Atomic uint16_t flags;
    uint64_t checksum; /* of the content, unpacked */
    char content[];
};

/*
 * ABSENT --add--> FREE --append--> OPEN --full--> FULL --clean--> CLEANING --> FREE
 *    ^             |                               ^                 |
 *    +---remove----+                               +---not written---+
 *
 * The one that is OPEN or CLEANING is nobody else's, of those that are FULL there is a queue. One
 * without live entries is FREE from FULL at once, and from CLEANING when its writes have ended.
 */
enum segment_state {
    SEGMENT_ABSENT,
    SEGMENT_FREE,
    SEGMENT_OPEN,
    SEGMENT_FULL,
    SEGMENT_CLEANING,
};

struct segment {
    _Atomic uint32_t readers; /* who unpacks without the lock: until 0 nothing is overwritten */
    uint32_t used;            /* units */
    uint32_t live;            /* entries */
    uint32_t cleaned;         /* units that cleaning has passed */
    uint32_t writes;          /* in flight */
    enum segment_state state;
    uint32_t next, previous; /* in its list */
};

struct segment_list {
    uint32_t first, last;
    enum segment_state state; /* of those in it */
};

extern struct packed_log {
    struct lock lock; /* all but readers, flags and the reading of places */
    char *memory;
    struct segment *segments;
    _Atomic place_t *places; /* of each slot */
    uint64_t *touched;       /* pages of places that were charged, a bit each */
    uint64_t slots;
    uint32_t max_segments, top; /* segments from top on were never there */
    struct segment_list absent, free, full;
    uint32_t open, cleaning; /* SEGMENT_NONE: none */
    _Atomic uint32_t free_count;
    _Atomic uint32_t loose; /* live entries that could be packed more densely */
} packed;

static inline struct segment *segment_of(place_t place)
{
    return &packed.segments[(place - 1) / SEGMENT_UNITS];
}

static inline struct entry *entry_at(place_t place)
{
    return (void *)(packed.memory + (uint64_t)(place - 1) * UNIT_SIZE);
}

static inline struct packed_page packed_page_of(const struct entry *entry)
{
    bool zstd = atomic_load_explicit(&entry->flags, memory_order_relaxed) & ENTRY_ZSTD;

    return (struct packed_page){
        .content = entry->content,
        .size = entry->size,
        .codec = zstd ? CODEC_ZSTD : CODEC_LZ4,
    };
}

/* Whether it could be packed more densely. */
static inline bool is_loose(const struct entry *entry)
{
    struct packed_page page = packed_page_of(entry);

    return codec_may_shrink(&page) &&
           !(atomic_load_explicit(&entry->flags, memory_order_relaxed) & ENTRY_TIGHT);
}

static inline uint32_t units_of(size_t size)
{
    return (uint32_t)((sizeof(struct entry) + size + UNIT_SIZE - 1) / UNIT_SIZE);
}

/* All with the lock. */

/* Take the first of a list; a segment goes to the end of a list. */
uint32_t segment_take(struct segment_list *list);
void segment_put(struct segment_list *list, uint32_t segment);

/* One that was open or cleaned waits for its turn to be cleaned, unless all of it has died. */
void segment_rest(uint32_t segment);

/* Append an entry; 0: no room. */
place_t packed_append(slot_t slot, const struct packed_page *page, uint64_t checksum,
                      unsigned flags) must_check;

/* An entry that its slot's place leads to is dead. */
void packed_remove(place_t place);

/* For packed_clean(), at start and end. */
int packed_clean_start(void) must_check;
void packed_clean_stop(void);

#endif
