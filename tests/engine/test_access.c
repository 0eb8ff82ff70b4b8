/* SPDX-License-Identifier: MIT */
/* One thread over four times its budget: in order, at random, and both, for objects of all sizes.
 */
#include "engine_test.h"

#include <stdlib.h>
#include <string.h>

#define RAM   (16 * MIB)
#define SET   ((ENGINE_SANITIZED ? 40 : 64) * MIB)
#define STORE (256 * MIB)

static void sequential(uint64_t object_size)
{
    const size_t block = 64 * KIB;

    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    char *set = engine_map(SET, object_size);
    for (size_t i = 0; i < SET / block; i++)
        engine_fill(set + i * block, block, i + 1);
    for (size_t i = 0; i < SET / block; i++)
        engine_verify(set + i * block, block, i + 1);
    for (size_t i = SET / block; i-- > 0;)
        engine_verify(set + i * block, block, i + 1);
    engine_expect_swapping(&before);
}

static void fresh_memory_is_zero(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *set = engine_map(SET, object_size);
    engine_verify_zero(set, SET);
    engine_fill(set + SET / 2, PAGE_SIZE, 1);
    engine_verify_zero(set, SET / 2);
    engine_verify(set + SET / 2, PAGE_SIZE, 1);
    engine_verify_zero(set + SET / 2 + PAGE_SIZE, SET / 2 - PAGE_SIZE);
}

/* From the end to the beginning, page by page: what is fresh is zero, and stays as it is written.
 */
static void downwards(char *set, size_t size, uint64_t tag)
{
    for (size_t at = size; at > 0; at -= PAGE_SIZE) {
        engine_verify_zero(set + at - PAGE_SIZE, PAGE_SIZE);
        engine_fill(set + at - PAGE_SIZE, PAGE_SIZE, tag + at);
    }
    for (size_t at = PAGE_SIZE; at <= size; at += PAGE_SIZE)
        engine_verify(set + at - PAGE_SIZE, PAGE_SIZE, tag + at);
}

static void down_through_fresh_memory(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *set = engine_map(RAM / 4 + 3 * PAGE_SIZE, object_size);
    struct uswap_stats before = engine_stats();
    downwards(set, RAM / 4 + 3 * PAGE_SIZE, 1);
    expect(engine_stats().faults_minor - before.faults_minor < RAM / 4 / PAGE_SIZE / 8);
    before = engine_stats();
    downwards(engine_map(SET, object_size), SET, 2);
    engine_expect_swapping(&before);
}

/* Blocks of memory, each as its version says; version 0 is zero. */
struct blocks {
    char *memory;
    size_t size;
    size_t count;
    uint16_t *versions;
};

static struct blocks make_blocks(size_t set, size_t size, size_t object_size)
{
    struct blocks blocks = {.size = size, .count = set / size};

    blocks.memory = engine_map(set, object_size);
    blocks.versions = calloc(blocks.count, sizeof(*blocks.versions));
    expect(blocks.versions != NULL);
    return blocks;
}

static uint64_t block_tag(const struct blocks *blocks, size_t i)
{
    return (uint64_t)i << 16 | blocks->versions[i];
}

static void write_block(const struct blocks *blocks, size_t i)
{
    blocks->versions[i]++;
    engine_fill(blocks->memory + i * blocks->size, blocks->size, block_tag(blocks, i));
}

static void check_block(const struct blocks *blocks, size_t i)
{
    if (blocks->versions[i])
        engine_verify(blocks->memory + i * blocks->size, blocks->size, block_tag(blocks, i));
    else
        engine_verify_zero(blocks->memory + i * blocks->size, blocks->size);
}

static void check_all(const struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->count; i++)
        check_block(blocks, i);
}

/* Pages of a set whose content is in the stores, a quarter of it also in memory, here and there. */
static char *set_with_holes(uint64_t *random)
{
    char *set = engine_map(SET, PAGE_SIZE);

    for (size_t at = 0; at < SET; at += PAGE_SIZE)
        engine_fill(set + at, PAGE_SIZE, at + 1);
    for (size_t i = 0; i < 2 * RAM / PAGE_SIZE; i++) {
        size_t at = engine_random(random) % (SET / PAGE_SIZE) * PAGE_SIZE;
        engine_verify(set + at, PAGE_SIZE, at + 1);
    }
    return set;
}

/* In order over all of it, up or down: faults are few, although parts are in memory already. */
static void streams_pass_what_is_in_memory(uint64_t down)
{
    uint64_t random = engine_seed();

    engine_start(RAM, STORE);
    struct uswap_stats start = engine_stats();
    char *set = set_with_holes(&random);
    struct uswap_stats before = engine_stats();
    for (size_t i = 0; i < SET; i += PAGE_SIZE) {
        size_t at = down ? SET - PAGE_SIZE - i : i;
        engine_verify(set + at, PAGE_SIZE, at + 1);
    }
    struct uswap_stats after = engine_stats();
    expect(after.faults_major - before.faults_major < SET / PAGE_SIZE / 8, "%llu faults",
           (unsigned long long)(after.faults_major - before.faults_major));
    engine_expect_swapping(&start);
}

/* Zeros that have left memory are made anew: that is no read, for nobody who counts. */
static void zeros_are_not_read(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *set = engine_map(SET, 4 * KIB);
    for (size_t i = 0; i < SET; i += PAGE_SIZE)
        *(volatile char *)(set + i) = 0;
    struct uswap_stats before = engine_stats();
    expect(before.objects_evicted > 0);
    for (size_t i = 0; i < SET; i += PAGE_SIZE)
        expect(set[i] == 0);
    struct uswap_stats after = engine_stats();
    expect(after.faults_minor > before.faults_minor);
    expect(after.faults_major == 0 && after.bytes_read == 0 && after.objects_read_ahead == 0);
}

static void at_random(uint64_t object_size)
{
    uint64_t random = engine_seed();
    unsigned steps = (unsigned)min_u64(8000, 128 * MIB / object_size + 300);

    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    struct blocks blocks = make_blocks(SET, 512, object_size);
    for (size_t i = 0; i < blocks.count; i += 3)
        write_block(&blocks, i);
    for (unsigned step = 0; step < steps; step++) {
        size_t i = engine_below(&random, blocks.count);
        check_block(&blocks, i);
        if (engine_below(&random, 2))
            write_block(&blocks, i);
    }
    check_all(&blocks);
    engine_expect_swapping(&before);
}

static void run_of_blocks(const struct blocks *blocks, uint64_t *random)
{
    size_t length = 1 + engine_below(random, 3000);
    size_t first = engine_below(random, blocks->count);
    bool write = engine_below(random, 2);

    for (size_t i = first; i < first + length && i < blocks->count; i++) {
        check_block(blocks, i);
        if (write)
            write_block(blocks, i);
    }
}

/* Regions with objects of different sizes compete for the budget; runs and single accesses. */
static void mixed(uint64_t unused)
{
    static const size_t sizes[] = {4 * KIB, 16 * KIB, 64 * KIB, 2 * MIB};
    struct blocks regions[array_size(sizes)];
    uint64_t random = engine_seed();

    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    for (size_t r = 0; r < array_size(sizes); r++)
        regions[r] = make_blocks(SET / 4, 1024, sizes[r]);
    for (unsigned step = 0; step < 800; step++) {
        struct blocks *blocks = &regions[engine_below(&random, array_size(sizes))];
        if (engine_below(&random, 4) == 0)
            run_of_blocks(blocks, &random);
        else
            write_block(blocks, engine_below(&random, blocks->count));
    }
    for (size_t r = 0; r < array_size(sizes); r++)
        check_all(&regions[r]);
    engine_expect_swapping(&before);
}

/* One access that needs two objects at once. */
static void across_the_border_of_objects(uint64_t object_size)
{
    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    char *set = engine_map(SET, object_size);
    for (uint64_t at = object_size; at < SET; at += object_size) {
        uint64_t word = engine_word(1, at);
        memcpy(set + at - 3, &word, sizeof(word));
    }
    for (uint64_t at = object_size; at < SET; at += object_size) {
        uint64_t word = engine_word(1, at);
        expect(memcmp(set + at - 3, &word, sizeof(word)) == 0, "at %llu", (unsigned long long)at);
    }
    engine_expect_swapping(&before);
}

static const struct engine_case cases[] = {
    {.name = "zeros_are_not_read", .run = zeros_are_not_read},
    {.name = "sequential_4k", .run = sequential, .parameter = 4 * KIB},
    {.name = "sequential_16k", .run = sequential, .parameter = 16 * KIB},
    {.name = "sequential_64k", .run = sequential, .parameter = 64 * KIB},
    {.name = "sequential_2m", .run = sequential, .parameter = 2 * MIB},
    {.name = "fresh_memory_is_zero_4k", .run = fresh_memory_is_zero, .parameter = 4 * KIB},
    {.name = "fresh_memory_is_zero_64k", .run = fresh_memory_is_zero, .parameter = 64 * KIB},
    {.name = "down_through_fresh_memory_4k",
     .run = down_through_fresh_memory,
     .parameter = 4 * KIB},
    {.name = "streams_up_pass_what_is_in_memory",
     .run = streams_pass_what_is_in_memory,
     .parameter = false},
    {.name = "streams_down_pass_what_is_in_memory",
     .run = streams_pass_what_is_in_memory,
     .parameter = true},
    {.name = "random_4k", .run = at_random, .parameter = 4 * KIB},
    {.name = "random_16k", .run = at_random, .parameter = 16 * KIB},
    {.name = "random_64k", .run = at_random, .parameter = 64 * KIB},
    {.name = "random_2m", .run = at_random, .parameter = 2 * MIB},
    {.name = "mixed", .run = mixed},
    {.name = "across_the_border_4k", .run = across_the_border_of_objects, .parameter = 4 * KIB},
    {.name = "across_the_border_64k", .run = across_the_border_of_objects, .parameter = 64 * KIB},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
