/* SPDX-License-Identifier: MIT */
/*
 * Each region has a score: it rises with reads, and sinks with clean objects that are written to.
 * Races lose a count now and then.
 */
#include "arena/clean.h"

#include "arena/region.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "mask/mask.h"

/* Objects come in clean as long as fewer than one of COST is written to then, with some patience;
 * else not for so many reads, after which it is tried again. */
#define COST      4
#define SCORE_MAX 64
#define PAUSE     1024

bool clean_wanted(object_t object)
{
    struct region *region = region_of(object);
    int score;

    if (!region)
        return false;
    score = atomic_load_explicit(&region->clean_score, memory_order_relaxed);
    if (score < SCORE_MAX)
        atomic_store_explicit(&region->clean_score, score + 1, memory_order_relaxed);
    return score >= 0;
}

static void count_written(object_t object)
{
    struct region *region = region_of(object);
    int score;

    if (!region)
        return;
    score = atomic_load_explicit(&region->clean_score, memory_order_relaxed);
    if (score >= 0)
        atomic_store_explicit(&region->clean_score, score >= COST ? score - COST : -PAUSE,
                              memory_order_relaxed);
}

static int unprotect(object_t object)
{
    return mask_unprotect(page_address(object), (size_t)object_pages(object) * PAGE_SIZE);
}

int clean_write(object_t object, uint64_t word)
{
    uint64_t flags = word & (OBJECT_HOT | OBJECT_AHEAD);
    int error = unprotect(object);

    if (error)
        flags |= word & OBJECT_CLEAN_MASK;
    if (object_is_clean(word))
        count_written(object);
    object_publish(object, OBJECT_RESIDENT | flags, object_where_of(word));
    return error;
}

void clean_end(object_t object, uint64_t word)
{
    char name[8];
    int error = object_is_clean(word) ? unprotect(object) : 0;

    if (error)
        msg_error("the memory at %p stays protected (%s)", page_address(object),
                  fmt_errno(error, name));
}
