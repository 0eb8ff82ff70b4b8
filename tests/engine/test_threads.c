/* SPDX-License-Identifier: MIT */
/* Eight threads on the same objects: no store of one of them is lost. */
#include "engine_test.h"

#include <stdlib.h>

#define THREADS 8
#define RAM     (16 * MIB)
#define SET     (40 * MIB)
#define STORE   (256 * MIB)
#define WORDS   (PAGE_SIZE / sizeof(uint64_t))
#define OWN     (WORDS / THREADS)

struct shared {
    _Atomic uint64_t *words;
    _Atomic uint32_t *adds; /* how often each word has been added to; not in the window */
    uint64_t steps;
};

/* Word i of a page belongs to thread i % THREADS, and holds its number, a counter and its place. */
static uint64_t own_value(unsigned thread, uint64_t counter, uint64_t index)
{
    return (uint64_t)(thread + 1) << 56 | counter << 32 | index;
}

static void step_page(struct shared *shared, uint16_t *counters, uint64_t page, unsigned thread)
{
    uint64_t counter = counters[page]++;

    for (uint64_t i = 0; i < OWN; i++) {
        uint64_t index = page * WORDS + i * THREADS + thread;
        uint64_t want = counter ? own_value(thread, counter, index) : 0;
        uint64_t next = own_value(thread, counter + 1, index);
        uint64_t found =
            atomic_exchange_explicit(&shared->words[index], next, memory_order_relaxed);
        expect(found == want, "thread %u word %llu: %llx, not %llx", thread,
               (unsigned long long)index, (unsigned long long)found, (unsigned long long)want);
    }
}

static void own_words_thread(void *argument, unsigned thread)
{
    struct shared *shared = argument;
    uint64_t random = engine_seed() + thread;
    uint16_t *counters = calloc(SET / PAGE_SIZE, sizeof(*counters));

    expect(counters != NULL);
    for (uint64_t step = 0; step < shared->steps; step++)
        step_page(shared, counters, engine_below(&random, SET / PAGE_SIZE), thread);
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        step_page(shared, counters, page, thread);
    free(counters);
}

static void each_word_has_one_writer(uint64_t object_size)
{
    struct shared shared = {.steps = object_size > 16 * KIB ? 600 : 3000};

    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    shared.words = engine_map(SET, object_size);
    engine_threads(THREADS, own_words_thread, &shared);
    engine_expect_swapping(&before);
}

static void add_thread(void *argument, unsigned thread)
{
    struct shared *shared = argument;
    uint64_t random = engine_seed() + thread;

    for (uint64_t step = 0; step < shared->steps; step++) {
        uint64_t index = engine_below(&random, SET / sizeof(uint64_t));
        atomic_fetch_add_explicit(&shared->adds[index], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&shared->words[index], 1, memory_order_relaxed);
    }
}

static void all_threads_write_all_words(uint64_t object_size)
{
    struct shared shared = {.steps = object_size > 16 * KIB ? 600 : 3000};

    shared.adds = calloc(SET / sizeof(uint64_t), sizeof(*shared.adds));
    expect(shared.adds != NULL);
    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    shared.words = engine_map(SET, object_size);
    engine_threads(THREADS, add_thread, &shared);
    for (uint64_t i = 0; i < SET / sizeof(uint64_t); i++)
        expect(shared.words[i] == shared.adds[i], "word %llu", (unsigned long long)i);
    engine_expect_swapping(&before);
}

static void hammer_thread(void *argument, unsigned thread)
{
    _Atomic uint64_t *words = argument;

    for (uint64_t i = 0; i < 2 * MIB / sizeof(uint64_t); i += WORDS)
        atomic_fetch_add(&words[i], 1);
}

/* All threads fault on the same evicted page at the same time, again and again. */
static void all_threads_want_the_same_page(uint64_t object_size)
{
    engine_start(RAM, STORE);
    _Atomic uint64_t *words = engine_map(2 * MIB, object_size);
    for (unsigned round = 1; round <= 5; round++) {
        engine_threads(THREADS, hammer_thread, (void *)words);
        engine_evict_all();
        for (uint64_t i = 0; i < 2 * MIB / sizeof(uint64_t); i += WORDS)
            expect(words[i] == (uint64_t)round * THREADS, "word %llu", (unsigned long long)i);
        engine_evict_all();
    }
}

/* A region of random shape: filled, cut, checked, and given back in two or three pieces. */
static void map_and_unmap(uint64_t *random)
{
    size_t pages = 1 + engine_below(random, 700);
    size_t object_size = PAGE_SIZE << engine_below(random, 10);
    char *memory = engine_map(pages * PAGE_SIZE, object_size);
    size_t cut = engine_below(random, pages);
    size_t length = 1 + engine_below(random, pages - cut);
    size_t rest = cut + length;

    engine_verify_zero(memory, pages * PAGE_SIZE);
    for (size_t i = 0; i < pages; i++)
        engine_fill(memory + i * PAGE_SIZE, PAGE_SIZE, i + 1);
    expect(uswap_unmap(memory + cut * PAGE_SIZE, length * PAGE_SIZE) == 0);
    for (size_t i = 0; i < pages; i++)
        if (i < cut || i >= rest)
            engine_verify(memory + i * PAGE_SIZE, PAGE_SIZE, i + 1);
    if (cut)
        expect(uswap_unmap(memory, cut * PAGE_SIZE) == 0);
    if (rest < pages)
        expect(uswap_unmap(memory + rest * PAGE_SIZE, (pages - rest) * PAGE_SIZE) == 0);
}

static void map_thread(void *argument, unsigned thread)
{
    char *stable = argument;
    uint64_t random = engine_seed() + thread;

    for (unsigned round = 0; round < 40; round++) {
        map_and_unmap(&random);
        for (unsigned i = 0; i < 50; i++) {
            uint64_t page = engine_below(&random, SET / PAGE_SIZE);
            engine_verify(stable + page * PAGE_SIZE, PAGE_SIZE, page + 1);
        }
    }
}

static void mapping_under_load(uint64_t unused)
{
    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    char *stable = engine_map(SET, 4 * KIB);
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        engine_fill(stable + page * PAGE_SIZE, PAGE_SIZE, page + 1);
    struct uswap_stats filled = engine_stats();
    engine_threads(THREADS, map_thread, stable);
    engine_expect_swapping(&before);
    struct uswap_stats after = engine_stats();
    expect(after.window_bytes == filled.window_bytes);
    expect(after.committed_bytes == filled.committed_bytes);
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        engine_verify(stable + page * PAGE_SIZE, PAGE_SIZE, page + 1);
}

static const struct engine_case cases[] = {
    {.name = "each_word_has_one_writer_4k", .run = each_word_has_one_writer, .parameter = 4 * KIB},
    {.name = "each_word_has_one_writer_64k",
     .run = each_word_has_one_writer,
     .parameter = 64 * KIB},
    {.name = "all_threads_write_all_words_4k",
     .run = all_threads_write_all_words,
     .parameter = 4 * KIB},
    {.name = "all_threads_write_all_words_64k",
     .run = all_threads_write_all_words,
     .parameter = 64 * KIB},
    {.name = "all_threads_want_the_same_page",
     .run = all_threads_want_the_same_page,
     .parameter = 4 * KIB},
    {.name = "all_threads_want_the_same_object",
     .run = all_threads_want_the_same_page,
     .parameter = 256 * KIB},
    {.name = "mapping_under_load", .run = mapping_under_load},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
