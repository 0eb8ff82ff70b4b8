/* SPDX-License-Identifier: MIT */
/*
 * A place is free, ready, or in nobody's bitmap: then one thread works with it. What has become of
 * the page meanwhile does not matter, as long as the same slot holds the same: who owns the object
 * looks at that, and nobody else can change it then.
 */
#include "arena/defer.h"

#include "base/bits.h"
#include "base/meta.h"
#include "object/pool.h"

#include <errno.h>
#include <string.h>

#define PLACES 16

static struct {
    struct deferred places[PLACES];
    _Atomic uint64_t free, ready; /* a bit each */
    _Atomic uint64_t charged;
} defer;

int defer_init(void)
{
    char *contents = meta_reserve((uint64_t)PLACES * PAGE_SIZE);

    if (!contents)
        return -ENOMEM;
    for (unsigned i = 0; i < PLACES; i++)
        defer.places[i].content = contents + i * PAGE_SIZE;
    atomic_store(&defer.free, (1u << PLACES) - 1);
    return 0;
}

bool defer_put(object_t page, const void *content)
{
    int bit = bits_take(&defer.free);
    struct deferred *deferred = &defer.places[bit < 0 ? 0 : bit];

    if (bit < 0)
        return false;
    meta_charge_once(&defer.charged, bit, PAGE_SIZE);
    deferred->page = page;
    deferred->slot = objects.slots[page];
    deferred->checksum = objects.pages[page].checksum;
    memcpy(deferred->content, content, PAGE_SIZE);
    bits_put(&defer.ready, (size_t)bit);
    return true;
}

unsigned defer_ready(void)
{
    return (unsigned)__builtin_popcountll(atomic_load_explicit(&defer.ready, memory_order_relaxed));
}

struct deferred *defer_take(void)
{
    int bit = bits_take(&defer.ready);

    return bit < 0 ? NULL : &defer.places[bit];
}

void defer_done(struct deferred *deferred)
{
    bits_put(&defer.free, (size_t)(deferred - defer.places));
}

static bool is_stable(uint64_t word)
{
    return object_state_of(word) == OBJECT_RESIDENT || object_state_of(word) == OBJECT_EVICTED;
}

bool defer_claim(const struct deferred *deferred, uint64_t *word)
{
    object_t page = deferred->page;

    *word = object_load(page);
    if (object_pages(page) != 1 || !is_stable(*word) || !object_claim(page, *word))
        return false;
    if (objects.slots[page] == deferred->slot && objects.pages[page].checksum == deferred->checksum)
        return true;
    defer_publish(deferred, *word);
    return false;
}

void defer_publish(const struct deferred *deferred, uint64_t word)
{
    if (object_state_of(word) == OBJECT_RESIDENT)
        pool_put_back(deferred->page, word);
    else
        object_publish(deferred->page, OBJECT_EVICTED | (word & OBJECT_HOT), object_where_of(word));
}
