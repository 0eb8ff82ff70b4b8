/* SPDX-License-Identifier: MIT */
#include "arena/traits.h"

#include "base/meta.h"

#include <errno.h>
#include <stdatomic.h>

/* Of a chunk: its pages differ, see the table of pages. */
#define MIXED ((traits_t)0x8000)

#define CHUNK_TABLE (CHUNK_PAGES * sizeof(traits_t))

static struct {
    _Atomic traits_t *of_chunk;
    _Atomic traits_t *of_page;
    bool on_fork;
} traits;

int traits_init(uint64_t pages)
{
    traits.of_chunk = meta_reserve((pages >> CHUNK_PAGES_SHIFT) * sizeof(*traits.of_chunk));
    traits.of_page = meta_reserve(pages * sizeof(*traits.of_page));
    return traits.of_chunk && traits.of_page ? 0 : -ENOMEM;
}

static traits_t of_chunk(object_t page)
{
    return atomic_load_explicit(&traits.of_chunk[page >> CHUNK_PAGES_SHIFT], memory_order_acquire);
}

traits_t traits_of(object_t page)
{
    traits_t chunk = of_chunk(page);

    if (likely(!(chunk & MIXED)))
        return chunk;
    return atomic_load_explicit(&traits.of_page[page], memory_order_relaxed);
}

bool traits_uniform(object_t page)
{
    return !(of_chunk(page) & MIXED);
}

static void set_chunk(object_t page, traits_t value)
{
    atomic_store_explicit(&traits.of_chunk[page >> CHUNK_PAGES_SHIFT], value, memory_order_release);
}

static void set_pages(object_t first, uint32_t pages, traits_t value)
{
    for (uint32_t i = 0; i < pages; i++)
        atomic_store_explicit(&traits.of_page[first + i], value, memory_order_relaxed);
}

/* The table of pages of a chunk shares its memory with those of three more: it is not given back,
 * but no more charged. */
static void set_uniform(object_t page, traits_t value)
{
    if (!traits_uniform(page))
        meta_charge(-(int64_t)CHUNK_TABLE);
    set_chunk(page, value);
}

void traits_set(object_t first, uint32_t pages, traits_t value, bool alone)
{
    object_t chunk = first & ~(CHUNK_PAGES - 1);
    traits_t before = of_chunk(first);

    traits.on_fork |= value & TRAITS_ON_FORK;
    if (alone || pages == CHUNK_PAGES) {
        set_uniform(first, value);
        return;
    }
    if (before == value)
        return;
    if (!(before & MIXED)) {
        set_pages(chunk, CHUNK_PAGES, before);
        meta_charge(CHUNK_TABLE);
    }
    set_pages(first, pages, value);
    set_chunk(first, MIXED);
}

uint32_t traits_run(object_t first, uint32_t pages)
{
    object_t stop =
        (first & ~(CHUNK_PAGES - 1)) + (CHUNK_PAGES - 1); /* the last one it may reach */
    uint32_t most = (uint32_t)min_u64(pages, (uint64_t)stop - first + 1), run = 1;

    if (traits_uniform(first))
        return most;
    while (run < most && traits_of(first + run) == traits_of(first))
        run++;
    return run;
}

void traits_forget(object_t first_of_chunk)
{
    if (of_chunk(first_of_chunk))
        set_uniform(first_of_chunk, 0);
}

bool traits_any_on_fork(void)
{
    return traits.on_fork;
}
