/* SPDX-License-Identifier: MIT */
/*
 * Thousands of short threads: each allocates, checks, leaves some blocks to its parent and goes.
 * What a thread had cached is free again: neither metadata nor commitment grows with the threads
 * that were.
 */
#include "heap_test.h"

#include <pthread.h>
#include <string.h>

#define GENERATIONS 200
#define THREADS     16
#define BLOCKS      64

static void *work(void *number)
{
    unsigned char **blocks = malloc(BLOCKS * sizeof(*blocks));
    unsigned char mark = (unsigned char)(uintptr_t)number;

    CHECK(blocks);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = 16 << i % 12;

        blocks[i] = malloc(size);
        CHECK(blocks[i]);
        memset(blocks[i], mark, size);
    }
    for (size_t i = 0; i < BLOCKS; i += 2) {
        CHECK(blocks[i][0] == mark && blocks[i][(16 << i % 12) - 1] == mark);
        free(blocks[i]);
    }
    return blocks;
}

/* Every second block of a thread is still there. */
static void collect(pthread_t thread, unsigned char mark)
{
    void *result;

    CHECK(pthread_join(thread, &result) == 0);
    unsigned char **blocks = result;
    for (size_t i = 1; i < BLOCKS; i += 2) {
        size_t size = 16 << i % 12;

        CHECK(blocks[i][0] == mark && blocks[i][size - 1] == mark);
        free(blocks[i]);
    }
    free(blocks);
}

static void *idle(void *number)
{
    return number;
}

/* Threads that never allocate: libc frees something for them when they are all but gone. */
static void idlers(void)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, idle, NULL) == 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void generation(unsigned number)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(number + i)) == 0);
    for (size_t i = 0; i < THREADS; i++)
        collect(threads[i], (unsigned char)(number + i));
    idlers();
}

int main(void)
{
    for (unsigned i = 0; i < GENERATIONS / 4; i++)
        generation(i);
    struct uswap_stats early = stats_now();
    for (unsigned i = GENERATIONS / 4; i < GENERATIONS; i++)
        generation(i);
    struct uswap_stats late = stats_now();
    printf("metadata %llu -> %llu, committed %llu -> %llu\n",
           (unsigned long long)early.metadata_bytes, (unsigned long long)late.metadata_bytes,
           (unsigned long long)early.committed_bytes, (unsigned long long)late.committed_bytes);
    CHECK(late.metadata_bytes < early.metadata_bytes + (512 << 10));
    CHECK(late.committed_bytes < early.committed_bytes + (8 << 20));
    return 0;
}
