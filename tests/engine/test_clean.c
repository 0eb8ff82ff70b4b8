/* SPDX-License-Identifier: MIT */
/* Clean objects: what was only read leaves without a write, what was written to never does. */
#include "engine_test.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAM     (16 * MIB)
#define STORE   (256 * MIB)
#define SET     (32 * MIB)
#define PAGES   (SET / PAGE_SIZE)
#define THREADS 8
#define WORDS   (PAGE_SIZE / sizeof(uint64_t))

/* Full of what engine_verify() knows, and without read-ahead. */
static char *map_random(size_t object_size)
{
    char *set = engine_map(SET, object_size);

    expect(uswap_advise(set, SET, USWAP_RANDOM) == 0);
    for (uint64_t page = 0; page < PAGES; page++)
        engine_fill(set + page * PAGE_SIZE, PAGE_SIZE, page + 1);
    return set;
}

static void read_at_random(const char *set, unsigned count, uint64_t *random)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t page = engine_below(random, PAGES);
        engine_verify(set + page * PAGE_SIZE, PAGE_SIZE, page + 1);
    }
}

static void what_is_read_leaves_without_a_write(uint64_t object_size)
{
    const unsigned count = object_size > PAGE_SIZE ? 4000 : 20000;
    uint64_t random = engine_seed();

    engine_start(RAM, STORE);
    char *set = map_random(object_size);
    read_at_random(set, count, &random);
    struct uswap_stats before = engine_stats();
    read_at_random(set, count, &random);
    struct uswap_stats after = engine_stats();
    expect(after.objects_dropped_clean > before.objects_dropped_clean + 1000);
    /* The last ones that the filling left masked may still have been on their way. */
    expect(after.bytes_written <= before.bytes_written + RAM / 8, "%llu bytes more",
           (unsigned long long)(after.bytes_written - before.bytes_written));
    expect(after.resident_peak_bytes <= RAM, "%llu", (unsigned long long)after.resident_peak_bytes);
}

/* Each step reads a page and then, one time of three, changes it. */
static void what_is_written_after_it_was_read_is_kept(uint64_t object_size)
{
    const unsigned count = object_size > PAGE_SIZE ? 4000 : 20000;
    uint64_t random = engine_seed();
    uint16_t *changes = calloc(PAGES, sizeof(*changes));

    expect(changes != NULL);
    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    char *set = map_random(object_size);
    for (unsigned i = 0; i < count; i++) {
        uint64_t page = engine_below(&random, PAGES);
        char *memory = set + page * PAGE_SIZE;
        engine_verify(memory, PAGE_SIZE, (uint64_t)changes[page] << 32 | (page + 1));
        if (engine_below(&random, 3) == 0)
            engine_fill(memory, PAGE_SIZE, (uint64_t)++changes[page] << 32 | (page + 1));
    }
    for (uint64_t page = 0; page < PAGES; page++)
        engine_verify(set + page * PAGE_SIZE, PAGE_SIZE,
                      (uint64_t)changes[page] << 32 | (page + 1));
    engine_expect_swapping(&before);
    expect(engine_stats().objects_dropped_clean > before.objects_dropped_clean);
}

struct shared {
    _Atomic uint64_t *words;
    _Atomic uint64_t *adds; /* one a page */
    unsigned steps;
};

/* All look at all pages, and add now and then to the first word of one. */
static void look_and_add(void *argument, unsigned thread)
{
    struct shared *shared = argument;
    uint64_t random = engine_seed() + thread;

    for (unsigned i = 0; i < shared->steps; i++) {
        uint64_t page = engine_below(&random, PAGES);
        _Atomic uint64_t *word = &shared->words[page * WORDS];
        expect(word[1] == page, "page %llu", (unsigned long long)page);
        if (engine_below(&random, 8) == 0) {
            atomic_fetch_add(&shared->adds[page], 1);
            atomic_fetch_add(word, 1);
        }
    }
}

static void threads_read_and_write(uint64_t object_size)
{
    struct shared shared = {.steps = object_size > PAGE_SIZE ? 800 : 4000};

    shared.adds = calloc(PAGES, sizeof(*shared.adds));
    expect(shared.adds != NULL);
    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    shared.words = engine_map(SET, object_size);
    expect(uswap_advise((void *)shared.words, SET, USWAP_RANDOM) == 0);
    for (uint64_t page = 0; page < PAGES; page++)
        shared.words[page * WORDS + 1] = page;
    engine_threads(THREADS, look_and_add, &shared);
    for (uint64_t page = 0; page < PAGES; page++)
        expect(shared.words[page * WORDS] == shared.adds[page], "page %llu",
               (unsigned long long)page);
    engine_expect_swapping(&before);
}

/* The kernel writes to pages that have only been read. */
static void the_kernel_can_write_to_what_is_pinned(uint64_t object_size)
{
    uint64_t random = engine_seed();
    char name[300];
    int file;

    engine_start(RAM, STORE);
    char *set = map_random(object_size);
    read_at_random(set, 5000, &random);
    snprintf(name, sizeof(name), "%s/content", engine_directory());
    file = open(name, O_RDWR | O_CREAT, 0600);
    expect(file >= 0 && unlink(name) == 0);
    for (uint64_t page = 0; page < PAGES; page += PAGES / 500) {
        char *memory = set + page * PAGE_SIZE;
        volatile char touched = *memory; /* it is there, and as likely as not clean */
        expect(pwrite(file, &page, sizeof(page), 0) == sizeof(page) && touched == *memory);
        expect(uswap_pin(memory, PAGE_SIZE) == 0);
        expect(pread(file, memory, sizeof(page), 0) == sizeof(page), "page %llu",
               (unsigned long long)page);
        uswap_unpin(memory, PAGE_SIZE);
    }
    engine_evict_all();
    for (uint64_t page = 0; page < PAGES; page += PAGES / 500)
        expect(memcmp(set + page * PAGE_SIZE, &page, sizeof(page)) == 0);
}

/* What is left of a clean object after a part of it was dropped: the kernel can write there, too.
 */
static void the_kernel_can_write_beside_what_was_dropped(uint64_t object_size)
{
    const size_t step = object_size / PAGE_SIZE;
    uint64_t random = engine_seed();
    int pipe_ends[2];

    engine_start(RAM, STORE);
    char *set = map_random(object_size);
    expect(pipe(pipe_ends) == 0);
    for (unsigned i = 0; i < 500; i++) {
        uint64_t page = engine_below(&random, PAGES / step) * step;
        char *memory = set + page * PAGE_SIZE, *rest = memory + PAGE_SIZE;
        volatile char touched = *rest; /* it is there, and as likely as not clean */
        expect(uswap_advise(memory, PAGE_SIZE, USWAP_DONT_NEED) == 0);
        expect(write(pipe_ends[1], &page, sizeof(page)) == sizeof(page) && touched == *rest);
        expect(uswap_pin(rest, PAGE_SIZE) == 0);
        expect(read(pipe_ends[0], rest, sizeof(page)) == sizeof(page), "page %llu",
               (unsigned long long)page);
        uswap_unpin(rest, PAGE_SIZE);
        expect(memcmp(rest, &page, sizeof(page)) == 0);
        engine_verify_zero(memory, PAGE_SIZE);
    }
}

/* A read that a write follows costs two faults: soon there are none of these any more. */
static void a_region_that_is_written_to_is_not_clean(uint64_t unused)
{
    uint64_t random = engine_seed();

    engine_start(RAM, STORE);
    char *set = map_random(PAGE_SIZE);
    for (unsigned i = 0; i < 12000; i++) {
        volatile char *memory = set + engine_below(&random, PAGES) * PAGE_SIZE;
        char content = *memory;
        *memory = content;
    }
    uint64_t major = engine_stats().faults_major, minor = engine_stats().faults_minor;
    for (unsigned i = 0; i < 6000; i++) {
        volatile char *memory = set + engine_below(&random, PAGES) * PAGE_SIZE;
        char content = *memory;
        *memory = content;
    }
    major = engine_stats().faults_major - major;
    minor = engine_stats().faults_minor - minor;
    expect(major > 1000 && minor < major / 2, "%llu minor, %llu major", (unsigned long long)minor,
           (unsigned long long)major);
}

static const struct engine_case cases[] = {
    {.name = "what_is_read_leaves_without_a_write_4k",
     .run = what_is_read_leaves_without_a_write,
     .parameter = 4 * KIB},
    {.name = "what_is_read_leaves_without_a_write_64k",
     .run = what_is_read_leaves_without_a_write,
     .parameter = 64 * KIB},
    {.name = "what_is_written_after_it_was_read_is_kept_4k",
     .run = what_is_written_after_it_was_read_is_kept,
     .parameter = 4 * KIB},
    {.name = "what_is_written_after_it_was_read_is_kept_64k",
     .run = what_is_written_after_it_was_read_is_kept,
     .parameter = 64 * KIB},
    {.name = "threads_read_and_write_4k", .run = threads_read_and_write, .parameter = 4 * KIB},
    {.name = "threads_read_and_write_64k", .run = threads_read_and_write, .parameter = 64 * KIB},
    {.name = "the_kernel_can_write_to_what_is_pinned",
     .run = the_kernel_can_write_to_what_is_pinned,
     .parameter = 4 * KIB},
    {.name = "the_kernel_can_write_beside_what_was_dropped",
     .run = the_kernel_can_write_beside_what_was_dropped,
     .parameter = 64 * KIB},
    {.name = "a_region_that_is_written_to_is_not_clean",
     .run = a_region_that_is_written_to_is_not_clean},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
