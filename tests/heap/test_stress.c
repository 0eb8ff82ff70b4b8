/* SPDX-License-Identifier: MIT */
/*
 * Several threads call the whole family at random on blocks of all sizes, several times the budget
 * together. Every block is filled with a pattern of its own, which must be there, byte for byte,
 * when it is moved or freed; blocks pass from thread to thread. Argument: the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define THREADS 4
#define BLOCKS  3000
#define STEPS   40000
/* All blocks together stay below this. */
#define TOTAL ((size_t)128 << 20)

struct block {
    unsigned char *memory;
    size_t size;
    uint64_t pattern;
};

/* Where threads leave blocks for others. */
static _Atomic(struct block *) exchange[64];
static _Atomic size_t total;

static uint64_t word_at(const struct block *block, size_t offset)
{
    return (block->pattern ^ offset) * 0x9e3779b97f4a7c15;
}

static void fill(const struct block *block, size_t from)
{
    size_t offset = from & ~(size_t)7;

    for (; offset + 8 <= block->size; offset += 8) {
        uint64_t word = word_at(block, offset);
        memcpy(block->memory + offset, &word, 8);
    }
    for (; offset < block->size; offset++)
        block->memory[offset] = (unsigned char)word_at(block, offset);
}

static void verify(const struct block *block, size_t size)
{
    size_t offset = 0;

    for (; offset + 8 <= size; offset += 8) {
        uint64_t word = word_at(block, offset);
        CHECK(memcmp(block->memory + offset, &word, 8) == 0);
    }
}

static size_t random_size(struct random *random)
{
    switch (random_below(random, 16)) {
    case 0:
        return random_below(random, (size_t)1 << 20);
    case 1 ... 3:
        return random_below(random, 40000);
    default:
        return random_below(random, 2000);
    }
}

static void *obtain(struct random *random, size_t size)
{
    size_t alignment = (size_t)8 << random_below(random, 11);
    void *memory;

    switch (random_below(random, 5)) {
    case 0:
        memory = calloc(size, 1);
        for (size_t i = 0; memory && i < size; i++)
            CHECK(((unsigned char *)memory)[i] == 0);
        return memory;
    case 1:
        CHECK(posix_memalign(&memory, alignment, size) == 0);
        CHECK((uintptr_t)memory % alignment == 0);
        return memory;
    case 2:
        memory = aligned_alloc(alignment, size);
        CHECK((uintptr_t)memory % alignment == 0);
        return memory;
    default:
        return malloc(size);
    }
}

static void make(struct random *random, struct block *block)
{
    size_t size = random_size(random);

    if (atomic_fetch_add(&total, size) + size > TOTAL) {
        atomic_fetch_sub(&total, size);
        return;
    }
    block->memory = obtain(random, size);
    CHECK(block->memory);
    CHECK((uintptr_t)block->memory % 16 == 0 || size < 8);
    CHECK(malloc_usable_size(block->memory) >= size);
    block->size = size;
    block->pattern = random_next(random);
    fill(block, 0);
}

static void resize(struct random *random, struct block *block)
{
    size_t size = random_size(random) + 1;
    size_t before = block->size;

    if (atomic_fetch_add(&total, size) + size > TOTAL) {
        atomic_fetch_sub(&total, size);
        return;
    }
    block->memory = realloc(block->memory, size);
    CHECK(block->memory);
    atomic_fetch_sub(&total, before);
    block->size = size;
    verify(block, before < size ? before & ~(size_t)7 : size);
    fill(block, before < size ? before : size);
}

static void release(struct block *block)
{
    verify(block, block->size);
    atomic_fetch_sub(&total, block->size);
    free(block->memory);
    *block = (struct block){0};
}

/* Give a block to whoever comes, and take what lies there. */
static void pass_on(struct random *random, struct block *block)
{
    struct block *box = malloc(sizeof(*box));

    CHECK(box);
    *box = *block;
    box = atomic_exchange(&exchange[random_below(random, 64)], box);
    *block = box ? *box : (struct block){0};
    free(box);
}

static void *work(void *seed)
{
    struct random random = {(uint64_t)(uintptr_t)seed};
    struct block *blocks = calloc(BLOCKS, sizeof(*blocks));

    for (int step = 0; step < STEPS; step++) {
        struct block *block = &blocks[random_below(&random, BLOCKS)];
        uint64_t choice = random_below(&random, 10);

        if (!block->memory)
            make(&random, block);
        else if (choice < 4)
            release(block);
        else if (choice < 7)
            resize(&random, block);
        else if (choice < 8)
            pass_on(&random, block);
        else
            verify(block, block->size);
    }
    for (int i = 0; i < BLOCKS; i++)
        release(&blocks[i]);
    free(blocks);
    return NULL;
}

int main(int argc, char **argv)
{
    struct random random = random_start(argc, argv);
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)random_next(&random)) ==
              0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    check_swapped();
    return 0;
}
