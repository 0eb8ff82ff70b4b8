/* SPDX-License-Identifier: MIT */
/*
 * Freed memory goes back to the engine without IO, whatever its size was, and fresh memory from
 * calloc is not touched.
 */
#include "heap_test.h"

#include <string.h>
#include <time.h>

#define TOTAL ((size_t)96 << 20)

static void check_freed(size_t size)
{
    size_t count = TOTAL / size;
    unsigned char **blocks = malloc(count * sizeof(*blocks));

    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        CHECK(blocks[i]);
        memset(blocks[i], (int)(i % 251) + 1, size);
    }
    struct uswap_stats full = stats_now();
    CHECK(full.store_used_bytes > TOTAL / 2);
    /* Which blocks are freed is read from the array: swap that in first. */
    unsigned char *volatile last;
    for (size_t i = 0; i < count; i++)
        last = blocks[i];
    (void)last;
    uint64_t read_before = stats_now().bytes_read;
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
    uint64_t read = stats_now().bytes_read - read_before;
    free(blocks);

    /* Small blocks are given back with some delay, by the next calls. */
    struct timespec pause = {.tv_nsec = 20000000};
    nanosleep(&pause, NULL);
    for (int i = 0; i < 3000; i++)
        free(malloc(64 + (size_t)(i % 8) * 64));
    struct uswap_stats empty = stats_now();
    printf("size %zu: store %llu -> %llu, read %llu, committed %llu\n", size,
           (unsigned long long)full.store_used_bytes, (unsigned long long)empty.store_used_bytes,
           (unsigned long long)read, (unsigned long long)empty.committed_bytes);
    CHECK(read <= count * sizeof(*blocks) + (1 << 20));
    CHECK(empty.store_used_bytes < TOTAL / 20);
    /* What is kept for reuse is in memory that nobody else wants. */
    CHECK(empty.committed_bytes < empty.ram_budget_bytes);
}

static void check_calloc(void)
{
    size_t size = (size_t)64 << 20;
    struct uswap_stats before = stats_now();
    unsigned char *block = calloc(size, 1);

    CHECK(block);
    CHECK(stats_now().resident_bytes < before.resident_bytes + ((size_t)1 << 20));
    for (size_t i = 0; i < size; i += 512)
        CHECK(block[i] == 0);
    memset(block, 1, size);
    block = realloc(block, 2 * size);
    for (size_t i = 0; i < size; i += 512)
        CHECK(block[i] == 1);
    free(block);
    /* The same addresses again. */
    block = calloc(size, 1);
    for (size_t i = 0; i < size; i += 512)
        CHECK(block[i] == 0);
    free(block);
}

int main(void)
{
    static const size_t sizes[] = {40, 1000, 5000, 20000, 300000, 4 << 20};

    check_calloc();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        check_freed(sizes[i]);
    check_swapped();
    return 0;
}
