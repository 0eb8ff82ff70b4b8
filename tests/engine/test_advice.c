/* SPDX-License-Identifier: MIT */
/* Advice of every kind, on whole regions and on parts of objects. */
#include "engine_test.h"
#include "observe/status.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM   (32 * MIB)
#define STORE (256 * MIB)
#define SIZE  (8 * MIB)

static void advise(void *address, size_t size, enum uswap_advice advice)
{
    int error = uswap_advise(address, size, advice);

    expect(error == 0, "advice %d: %d", (int)advice, error);
}

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

static void will_need_brings_in(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, object_size);
    fill_pages(memory, SIZE);
    engine_evict_all();
    expect(engine_resident(memory, SIZE) < SIZE / PAGE_SIZE / 2);
    advise(memory, SIZE, USWAP_WILL_NEED);
    uint64_t major = engine_stats().faults_major;
    verify_pages(memory, 0, SIZE);
    expect(engine_stats().faults_major == major, "%llu major faults",
           (unsigned long long)(engine_stats().faults_major - major));
    expect(engine_stats().objects_read_ahead > 0);
}

/* More than the budget: as far as it goes, and nothing is lost. */
static void will_need_keeps_the_budget(uint64_t unused)
{
    const size_t size = 96 * MIB;

    engine_start(RAM, STORE);
    char *memory = engine_map(size, 4 * KIB);
    fill_pages(memory, size);
    advise(memory, size, USWAP_WILL_NEED);
    expect(engine_stats().resident_bytes <= RAM);
    verify_pages(memory, 0, size);
}

/* The program may forbid itself its memory; what is there must not be lost meanwhile, and must not
 * be there any more when it is not wanted. */
static void cold_memory_that_nobody_may_read_is_kept(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, object_size);
    fill_pages(memory, SIZE);
    expect(mprotect(memory + SIZE / 4, SIZE / 2, PROT_NONE) == 0);
    advise(memory, SIZE, USWAP_COLD);
    engine_evict_all();
    expect(mprotect(memory + SIZE / 4, SIZE / 2, PROT_READ | PROT_WRITE) == 0);
    verify_pages(memory, 0, SIZE);
    advise(memory, SIZE, USWAP_DONT_NEED);
    engine_verify_zero(memory, SIZE);
}

/* Bytes that had to come back from the store to verify a region. */
static uint64_t bytes_to_verify(char *memory)
{
    uint64_t before = engine_stats().bytes_read;

    advise(memory, SIZE, USWAP_RANDOM);
    verify_pages(memory, 0, SIZE);
    return engine_stats().bytes_read - before;
}

static void cold_leaves_first(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *kept = engine_map(SIZE, object_size);
    char *cold = engine_map(SIZE, object_size);
    fill_pages(kept, SIZE);
    fill_pages(cold, SIZE); /* younger: without advice the other one would leave first */
    advise(cold, SIZE, USWAP_COLD);
    char *pressure = engine_map(RAM - SIZE, object_size);
    fill_pages(pressure, RAM - SIZE - 4 * MIB);
    uint64_t from_kept = bytes_to_verify(kept);
    uint64_t from_cold = bytes_to_verify(cold);
    expect(from_cold > from_kept, "cold objects: %llu bytes, others: %llu",
           (unsigned long long)from_cold, (unsigned long long)from_kept);
}

static void dropped_content_is_zero(uint64_t evicted)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, 4 * KIB);
    fill_pages(memory, SIZE);
    if (evicted)
        engine_evict_all();
    struct uswap_stats before = engine_stats();
    advise(memory + MIB, 2 * MIB, USWAP_DONT_NEED);
    struct uswap_stats after = engine_stats();
    expect(after.bytes_read == before.bytes_read, "dropping needs no reading");
    expect(after.committed_bytes == before.committed_bytes, "the addresses are still promised");
    verify_pages(memory, 0, MIB);
    engine_verify_zero(memory + MIB, 2 * MIB);
    verify_pages(memory, 3 * MIB, SIZE);
    engine_evict_all();
    engine_verify_zero(memory + MIB, 2 * MIB);
    fill_pages(memory, SIZE);
    engine_evict_all();
    verify_pages(memory, 0, SIZE);
}

static void dropping_gives_slots_and_memory_back(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, 4 * KIB);
    fill_pages(memory, SIZE);
    engine_evict_all();
    expect(engine_stats().store_used_bytes >= SIZE / 2);
    advise(memory, SIZE, USWAP_DONT_NEED);
    engine_expect_empty_store();
    fill_pages(memory, SIZE);
    uint64_t resident = engine_resident(memory, SIZE);
    advise(memory, SIZE, USWAP_DONT_NEED);
    expect(resident > 0 && engine_resident(memory, SIZE) == 0);
}

/* Pages within objects, and bytes within pages: only whole pages are dropped. */
static void parts_of_objects(uint64_t evicted)
{
    const size_t object = 64 * KIB;

    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, object);
    fill_pages(memory, SIZE);
    if (evicted)
        engine_evict_all();
    advise(memory + 3 * PAGE_SIZE, 2 * PAGE_SIZE, USWAP_DONT_NEED);
    advise(memory + object + 100, 3 * PAGE_SIZE, USWAP_DONT_NEED);
    advise(memory + 3 * object - PAGE_SIZE, 2 * PAGE_SIZE, USWAP_DONT_NEED);
    advise(memory + 4 * object + 100, PAGE_SIZE, USWAP_DONT_NEED);
    for (unsigned pass = 0; pass < 2; pass++) {
        verify_pages(memory, 0, 3 * PAGE_SIZE);
        engine_verify_zero(memory + 3 * PAGE_SIZE, 2 * PAGE_SIZE);
        verify_pages(memory, 5 * PAGE_SIZE, object + PAGE_SIZE);
        engine_verify_zero(memory + object + PAGE_SIZE, 2 * PAGE_SIZE);
        verify_pages(memory, object + 3 * PAGE_SIZE, 3 * object - PAGE_SIZE);
        engine_verify_zero(memory + 3 * object - PAGE_SIZE, 2 * PAGE_SIZE);
        verify_pages(memory, 3 * object + PAGE_SIZE, SIZE);
        engine_evict_all();
    }
    advise(memory + 6 * object + PAGE_SIZE, PAGE_SIZE, USWAP_COLD);
    advise(memory + 7 * object + PAGE_SIZE, PAGE_SIZE, USWAP_WILL_NEED);
    verify_pages(memory, 6 * object, 8 * object);
}

/* What an ascending scan of an evicted region reads ahead. */
static uint64_t ahead_of_a_scan(char *memory)
{
    engine_evict_all();
    uint64_t before = engine_stats().objects_read_ahead;
    verify_pages(memory, 0, SIZE);
    return engine_stats().objects_read_ahead - before;
}

/* What comes along with a fault on fresh memory is not read from anywhere. */
static void fresh_memory_is_not_read_ahead(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(3 * RAM, 4 * KIB);
    fill_pages(memory, 3 * RAM);
    struct uswap_stats stats = engine_stats();
    expect(stats.objects_evicted > 0 && stats.faults_minor < 2 * RAM / PAGE_SIZE);
    expect(stats.objects_read_ahead == 0, "%llu", (unsigned long long)stats.objects_read_ahead);
    expect(status_sum(&status_page, STAT_READ_AHEAD_HITS) == 0);
}

static void random_and_sequential_steer_read_ahead(uint64_t unused)
{
    const uint64_t objects = SIZE / PAGE_SIZE;

    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, 4 * KIB);
    fill_pages(memory, SIZE);
    uint64_t normal = ahead_of_a_scan(memory);
    expect(normal > objects / 2, "%llu", (unsigned long long)normal);
    uint64_t hits = status_sum(&status_page, STAT_READ_AHEAD_HITS);
    expect(hits > normal / 2, "%llu of %llu read-ahead hits", (unsigned long long)hits,
           (unsigned long long)normal);
    advise(memory, SIZE, USWAP_RANDOM);
    expect(ahead_of_a_scan(memory) == 0);
    advise(memory + MIB, PAGE_SIZE, USWAP_SEQUENTIAL);
    expect(ahead_of_a_scan(memory) > objects / 2);
    advise(memory, SIZE, USWAP_RANDOM);
    advise(memory, SIZE, USWAP_NORMAL);
    expect(ahead_of_a_scan(memory) > objects / 2);
}

/* Walk through an evicted region in steps of so many bytes, and expect that most pages came along.
 */
static void walk(char *memory, int64_t step, bool write)
{
    int64_t at = step < 0 ? SIZE - 1000 : 1000;
    uint64_t before, steps = 0;

    engine_evict_all();
    before = engine_stats().faults_major;
    for (; at > 0 && at < (int64_t)SIZE; at += step, steps++) {
        size_t page = align_down((uint64_t)at, PAGE_SIZE);
        (void)*(volatile char *)(memory + at);
        verify_pages(memory, page, page + PAGE_SIZE);
        if (write)
            engine_fill(memory + page, PAGE_SIZE, page + 1);
    }
    uint64_t major = engine_stats().faults_major - before;
    expect(major < steps / 4 + 4, "%llu faults, %llu steps of %lld", (unsigned long long)major,
           (unsigned long long)steps, (long long)step);
}

static void strides_are_read_ahead(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, 4 * KIB);
    fill_pages(memory, SIZE);
    uint64_t hits = status_sum(&status_page, STAT_READ_AHEAD_HITS);
    walk(memory, 2 * PAGE_SIZE, false);
    walk(memory, 22000, false);
    walk(memory, -22000, true);
    walk(memory, -3 * (int64_t)PAGE_SIZE, false);
    walk(memory, 40 * PAGE_SIZE, true);
    expect(status_sum(&status_page, STAT_READ_AHEAD_HITS) - hits > SIZE / PAGE_SIZE / 2);
    advise(memory, SIZE, USWAP_RANDOM);
    engine_evict_all();
    uint64_t ahead = engine_stats().objects_read_ahead;
    for (size_t at = 0; at < SIZE; at += 4 * PAGE_SIZE)
        verify_pages(memory, at, at + PAGE_SIZE);
    expect(engine_stats().objects_read_ahead == ahead);
    verify_pages(memory, 0, SIZE);
}

/* A stride goes on over pages that are not mapped, or not as the one that is touched. */
static void strides_end_where_memory_is_another(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, 4 * KIB), *other = engine_map(SIZE, 4 * KIB);
    fill_pages(memory, SIZE);
    fill_pages(other, SIZE);
    expect(uswap_unmap(memory + MIB, MIB) == 0);
    engine_evict_all();
    for (size_t at = 0; at < MIB; at += 24 * PAGE_SIZE)
        verify_pages(memory, at, at + PAGE_SIZE);
    for (size_t at = SIZE - 24 * PAGE_SIZE; at > 2 * MIB; at -= 24 * PAGE_SIZE)
        verify_pages(memory, at, at + PAGE_SIZE);
    for (size_t at = 0; at < SIZE; at += 24 * PAGE_SIZE)
        verify_pages(other, at, at + PAGE_SIZE);
    verify_pages(memory, 0, MIB);
    verify_pages(memory, 2 * MIB, SIZE);
    verify_pages(other, 0, SIZE);
}

static void wrong_ranges_are_refused(uint64_t unused)
{
    char local[PAGE_SIZE];

    engine_start(RAM, STORE);
    char *memory = engine_map(SIZE, 4 * KIB);
    fill_pages(memory, SIZE);
    for (int advice = USWAP_NORMAL; advice <= USWAP_DONT_NEED; advice++) {
        enum uswap_advice kind = (enum uswap_advice)advice;
        expect(uswap_advise(local, sizeof(local), kind) == -EINVAL);
        expect(uswap_advise(NULL, PAGE_SIZE, kind) == -EINVAL);
        expect(uswap_advise(memory + SIZE, PAGE_SIZE, kind) == -EINVAL);
        expect(uswap_advise(memory + PAGE_SIZE, SIZE, kind) == -EINVAL);
        expect(uswap_advise(memory, SIZE_MAX, kind) == -EINVAL);
    }
    expect(uswap_advise(memory, PAGE_SIZE, (enum uswap_advice)77) == -EINVAL);
    verify_pages(memory, 0, SIZE);
}

struct shared {
    char *memory;
    _Atomic bool stop;
};

/* Thread 0 advises at random, never dropping; the others check that no content changes. */
static void advise_thread(void *argument, unsigned thread)
{
    static const enum uswap_advice kinds[] = {USWAP_NORMAL, USWAP_RANDOM, USWAP_SEQUENTIAL,
                                              USWAP_WILL_NEED, USWAP_COLD};
    struct shared *shared = argument;
    uint64_t random = engine_seed() + thread;
    const uint64_t pages = 64 * MIB / PAGE_SIZE;

    for (unsigned step = 0; thread == 0 && step < 400; step++) {
        uint64_t page = engine_below(&random, pages - 512);
        advise(shared->memory + page * PAGE_SIZE, (1 + engine_below(&random, 512)) * PAGE_SIZE,
               kinds[engine_below(&random, array_size(kinds))]);
    }
    if (thread == 0)
        shared->stop = true;
    while (!shared->stop) {
        uint64_t page = engine_below(&random, pages);
        verify_pages(shared->memory, page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    }
}

static void advice_under_load(uint64_t object_size)
{
    struct shared shared = {0};

    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    shared.memory = engine_map(64 * MIB, object_size);
    fill_pages(shared.memory, 64 * MIB);
    engine_threads(4, advise_thread, &shared);
    verify_pages(shared.memory, 0, 64 * MIB);
    engine_expect_swapping(&before);
}

static const struct engine_case cases[] = {
    {.name = "will_need_brings_in_4k", .run = will_need_brings_in, .parameter = 4 * KIB},
    {.name = "will_need_brings_in_64k", .run = will_need_brings_in, .parameter = 64 * KIB},
    {.name = "will_need_keeps_the_budget", .run = will_need_keeps_the_budget},
    {.name = "cold_memory_that_nobody_may_read_is_kept_4k",
     .run = cold_memory_that_nobody_may_read_is_kept,
     .parameter = 4 * KIB},
    {.name = "cold_memory_that_nobody_may_read_is_kept_64k",
     .run = cold_memory_that_nobody_may_read_is_kept,
     .parameter = 64 * KIB},
    {.name = "cold_leaves_first_4k", .run = cold_leaves_first, .parameter = 4 * KIB},
    {.name = "cold_leaves_first_64k", .run = cold_leaves_first, .parameter = 64 * KIB},
    {.name = "dropped_content_is_zero", .run = dropped_content_is_zero, .parameter = false},
    {.name = "dropped_evicted_content_is_zero", .run = dropped_content_is_zero, .parameter = true},
    {.name = "dropping_gives_slots_and_memory_back", .run = dropping_gives_slots_and_memory_back},
    {.name = "parts_of_objects", .run = parts_of_objects, .parameter = false},
    {.name = "parts_of_evicted_objects", .run = parts_of_objects, .parameter = true},
    {.name = "fresh_memory_is_not_read_ahead", .run = fresh_memory_is_not_read_ahead},
    {.name = "random_and_sequential_steer_read_ahead",
     .run = random_and_sequential_steer_read_ahead},
    {.name = "strides_are_read_ahead", .run = strides_are_read_ahead},
    {.name = "strides_end_where_memory_is_another", .run = strides_end_where_memory_is_another},
    {.name = "wrong_ranges_are_refused", .run = wrong_ranges_are_refused},
    {.name = "advice_under_load_4k", .run = advice_under_load, .parameter = 4 * KIB},
    {.name = "advice_under_load_64k", .run = advice_under_load, .parameter = 64 * KIB},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
