/* SPDX-License-Identifier: MIT */
/* Mapping and unmapping: parts of regions and of objects, addresses used again, what is given back.
 */
#include "engine_test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define RAM   (16 * MIB)
#define STORE (128 * MIB)
#define SIZE  (4 * MIB)

static void fill_pages(char *memory, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE_SIZE)
        engine_fill(memory + at, PAGE_SIZE, at + 1);
}

static void verify_pages(const char *memory, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += PAGE_SIZE)
        engine_verify(memory + at, PAGE_SIZE, at + 1);
}

static void expect_forbidden(const char *memory, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += PAGE_SIZE)
        expect(engine_probe(memory + at) == SIGSEGV, "at %zu", at);
}

/* Cut [from, to) out of a new region, resident or evicted: it is forbidden, the rest unchanged. */
static void cut(size_t object_size, size_t from, size_t to, bool evicted)
{
    char *memory = engine_map(SIZE, object_size);

    fill_pages(memory, SIZE);
    if (evicted)
        engine_evict_all();
    uint64_t window = engine_stats().window_bytes;
    uint64_t committed = engine_stats().committed_bytes;
    expect(uswap_unmap(memory + from, to - from) == 0);
    expect(engine_stats().window_bytes == window - (to - from));
    expect(engine_stats().committed_bytes == committed - (to - from));
    expect_forbidden(memory, from, to);
    verify_pages(memory, 0, from);
    verify_pages(memory, to, SIZE);
    engine_evict_all();
    verify_pages(memory, 0, from);
    verify_pages(memory, to, SIZE);
    expect_forbidden(memory, from, to);
    if (from)
        expect(uswap_unmap(memory, from) == 0);
    if (to < SIZE)
        expect(uswap_unmap(memory + to, SIZE - to) == 0);
}

/* First, middle and last part; borders of objects and pages within them. */
static void parts_of_a_region(uint64_t object_size)
{
    static const size_t cuts[][2] = {
        {0, MIB},
        {MIB, 3 * MIB},
        {3 * MIB, SIZE},
        {0, PAGE_SIZE},
        {SIZE - PAGE_SIZE, SIZE},
        {5 * PAGE_SIZE, 6 * PAGE_SIZE},
        {MIB - 3 * PAGE_SIZE, MIB + 5 * PAGE_SIZE},
        {PAGE_SIZE, SIZE - PAGE_SIZE},
    };

    engine_catch_faults();
    engine_start(RAM, STORE);
    for (size_t i = 0; i < array_size(cuts); i++) {
        cut(object_size, cuts[i][0], cuts[i][1], false);
        cut(object_size, cuts[i][0], cuts[i][1], true);
    }
    expect(engine_stats().window_bytes == 0 && engine_stats().committed_bytes == 0);
    engine_expect_empty_store();
}

/* Page by page, in random order, until nothing is left. */
static void random_pages(uint64_t object_size)
{
    uint64_t random = engine_seed();
    static bool gone[SIZE / PAGE_SIZE];

    engine_catch_faults();
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, object_size);
    fill_pages(memory, SIZE);
    engine_evict_all();
    for (size_t left = SIZE / PAGE_SIZE; left > 0; left--) {
        size_t page = engine_below(&random, SIZE / PAGE_SIZE);
        while (gone[page])
            page = (page + 1) % (SIZE / PAGE_SIZE);
        verify_pages(memory, page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
        expect(uswap_unmap(memory + page * PAGE_SIZE, PAGE_SIZE) == 0);
        gone[page] = true;
        size_t other = engine_below(&random, SIZE / PAGE_SIZE);
        if (gone[other])
            expect_forbidden(memory, other * PAGE_SIZE, (other + 1) * PAGE_SIZE);
        else
            verify_pages(memory, other * PAGE_SIZE, (other + 1) * PAGE_SIZE);
    }
    expect(engine_stats().window_bytes == 0);
    engine_expect_empty_store();
}

static void addresses_used_again_are_zero(uint64_t object_size)
{
    void *first = NULL;
    unsigned again = 0;

    engine_start(RAM, STORE);
    for (unsigned round = 0; round < 20; round++) {
        char *memory = engine_map(SIZE, object_size);
        again += memory == first;
        first = first ? first : memory;
        engine_verify_zero(memory, SIZE);
        fill_pages(memory, SIZE);
        if (round % 2)
            engine_evict_all();
        expect(uswap_unmap(memory, SIZE) == 0);
    }
    expect(again > 0, "no address was used again: this shows nothing");
}

/* An evicted region is given back without reading it. */
static void unmapping_does_no_io(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, 4 * KIB);
    fill_pages(memory, SIZE);
    engine_evict_all();
    struct uswap_stats before = engine_stats();
    expect(before.store_used_bytes >= SIZE / 2);
    expect(uswap_unmap(memory, SIZE) == 0);
    struct uswap_stats after = engine_stats();
    expect(after.bytes_read == before.bytes_read);
    expect(after.faults_major == before.faults_major);
    engine_expect_empty_store();
}

static void wrong_ranges_are_refused(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, 4 * KIB);
    char *other = engine_map(SIZE, 4 * KIB);
    char local;

    fill_pages(memory, SIZE);
    expect(uswap_unmap(memory + 1, PAGE_SIZE) == -EINVAL);
    expect(uswap_unmap(memory, 0) == -EINVAL);
    expect(uswap_unmap(memory, SIZE + PAGE_SIZE * 512 * 64) == -EINVAL);
    expect(uswap_unmap(&local, PAGE_SIZE) == -EINVAL);
    expect(uswap_unmap(NULL, PAGE_SIZE) == -EINVAL);
    expect(uswap_unmap(memory, SIZE_MAX & ~(PAGE_SIZE - 1)) == -EINVAL);
    expect(uswap_unmap(memory + PAGE_SIZE, PAGE_SIZE) == 0);
    expect(uswap_unmap(memory + PAGE_SIZE, PAGE_SIZE) == -EINVAL);
    expect(uswap_unmap(memory, SIZE) == -EINVAL, "one page of it is not mapped");
    verify_pages(memory, 0, PAGE_SIZE);
    verify_pages(memory, 2 * PAGE_SIZE, SIZE);
    engine_verify_zero(other, SIZE);
}

static void wrong_maps_are_refused(uint64_t unused)
{
    static const struct uswap_map_options wrong[] = {
        {.object_size = 2048}, {.object_size = 12 * KIB}, {.object_size = 4 * MIB},
        {.align = 3 * MIB},    {.flags = 0x80000000u},
    };
    void *address = &address;

    engine_start(RAM, STORE);
    expect(uswap_map(0, NULL, &address) == -EINVAL);
    for (size_t i = 0; i < array_size(wrong); i++)
        expect(uswap_map(PAGE_SIZE, &wrong[i], &address) == -EINVAL, "options %zu", i);
    expect(uswap_map(UINT64_C(1) << 60, NULL, &address) == -ENOMEM);
    expect(uswap_map(SIZE_MAX, NULL, &address) == -ENOMEM);
    expect(engine_stats().window_bytes == 0 && engine_stats().committed_bytes == 0);
}

static void regions_are_aligned(uint64_t unused)
{
    engine_start(RAM, STORE);
    for (size_t align = PAGE_SIZE; align <= GIB; align *= 4) {
        struct uswap_map_options options = {.align = align};
        void *address;
        expect(uswap_map(3 * PAGE_SIZE + 1, &options, &address) == 0);
        expect((uintptr_t)address % align == 0, "%zu", align);
        engine_fill(address, 4 * PAGE_SIZE, 1);
        engine_verify(address, 4 * PAGE_SIZE, 1);
    }
}

static const struct engine_case cases[] = {
    {.name = "parts_of_a_region_4k", .run = parts_of_a_region, .parameter = 4 * KIB},
    {.name = "parts_of_a_region_64k", .run = parts_of_a_region, .parameter = 64 * KIB},
    {.name = "parts_of_a_region_2m", .run = parts_of_a_region, .parameter = 2 * MIB},
    {.name = "random_pages_4k", .run = random_pages, .parameter = 4 * KIB},
    {.name = "random_pages_64k", .run = random_pages, .parameter = 64 * KIB},
    {.name = "addresses_used_again_are_zero_4k",
     .run = addresses_used_again_are_zero,
     .parameter = 4 * KIB},
    {.name = "addresses_used_again_are_zero_64k",
     .run = addresses_used_again_are_zero,
     .parameter = 64 * KIB},
    {.name = "unmapping_does_no_io", .run = unmapping_does_no_io},
    {.name = "wrong_ranges_are_refused", .run = wrong_ranges_are_refused},
    {.name = "wrong_maps_are_refused", .run = wrong_maps_are_refused},
    {.name = "regions_are_aligned", .run = regions_are_aligned},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
