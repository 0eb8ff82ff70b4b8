/* SPDX-License-Identifier: MIT */
/*
 * A resident object keeps its slots after it was read, so that it can leave again without a write.
 * When the stores run full those slots are needed for objects that have none: budget plus stores
 * hold everything that was promised only if nothing is held twice. This walks the chunks round and
 * round.
 */
#include "arena/reclaim.h"

#include "arena/clean.h"
#include "arena/discard.h"
#include "arena/region.h"
#include "object/pool.h"

#include <stdatomic.h>

/* The chunk to look at next. Races between two walkers do no harm. */
static _Atomic uint32_t cursor;

static uint32_t kept_slots(object_t object)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < object_pages(object); i++)
        kept += objects.slots[object + i] != SLOT_NONE && objects.slots[object + i] != SLOT_GONE;
    return kept;
}

static uint32_t reclaim_object(object_t object)
{
    uint64_t word = object_load(object);
    uint32_t kept = 0;

    if (object_state_of(word) == OBJECT_RESIDENT && kept_slots(object) &&
        object_claim_pinned(object, word)) {
        kept = kept_slots(object);
        clean_end(object, word);
        discard_slots(object, object_pages(object));
        pool_add(object, 1, word & OBJECT_HOT);
    }
    return kept;
}

static uint32_t reclaim_chunk(object_t first)
{
    uint32_t reclaimed = 0;

    for (object_t object = first; object < first + CHUNK_PAGES; object += object_pages(object))
        reclaimed += reclaim_object(object);
    return reclaimed;
}

uint32_t reclaim_slots(uint32_t want)
{
    uint32_t chunks = region_chunks_used(), reclaimed = 0;

    for (uint32_t i = 0; i < chunks && reclaimed < want; i++) {
        object_t first = atomic_fetch_add(&cursor, 1) % chunks << CHUNK_PAGES_SHIFT;
        if (region_of(first) && region_chunk_touched(first))
            reclaimed += reclaim_chunk(first);
    }
    return reclaimed;
}
