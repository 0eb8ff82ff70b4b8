/* SPDX-License-Identifier: MIT */
/* What a stream is going to want is read before it is touched, and may change in the meantime. */
#include "arena/prefetch.h"
#include "engine_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM   (16 * MIB)
#define SET   (48 * MIB)
#define STORE (256 * MIB)
#define PAGES (SET / PAGE_SIZE)

/* A stream that begins where no other goes on. Faults at its first pages bring in 1, 2, 4, 8 of
 * them; with the last of these 8 more are begun to be read. */
#define FIRST  (PAGES / 2)
#define STREAM 8
#define BEGUN  (FIRST + 15)
#define ENDS   (FIRST + 23)

static char *page_at(char *set, size_t page)
{
    return set + page * PAGE_SIZE;
}

static char *make_set(void)
{
    char *set = engine_map(SET, PAGE_SIZE);

    for (size_t i = 0; i < PAGES; i++)
        engine_fill(page_at(set, i), PAGE_SIZE, i + 1);
    engine_evict_all();
    return set;
}

static void verify_from(char *set, size_t page)
{
    for (size_t i = page; i < PAGES; i++)
        engine_verify(page_at(set, i), PAGE_SIZE, i + 1);
}

/* A set of which the pages from BEGUN on are being read, or have been. */
static char *begin_stream(void)
{
    char *set = make_set();

    prefetch_drop_all(); /* of those who pushed it out */
    for (size_t i = FIRST; i < FIRST + STREAM; i++)
        engine_verify(page_at(set, i), PAGE_SIZE, i + 1);
    expect(prefetch_pages() == ENDS - BEGUN, "%u pages", prefetch_pages());
    return set;
}

static void what_was_read_early_is_not_read_again(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *set = begin_stream();
    struct uswap_stats before = engine_stats();
    for (size_t i = FIRST + STREAM; i < ENDS; i++)
        engine_verify(page_at(set, i), PAGE_SIZE, i + 1);
    struct uswap_stats after = engine_stats();
    expect(after.faults_major - before.faults_major == 1);
    expect(after.bytes_read - before.bytes_read == (ENDS - BEGUN) * PAGE_SIZE);
    verify_from(set, ENDS);
}

/* Up or down: nearly all that is read is used, and a fault brings in many pages. */
static void streams_waste_little(uint64_t down)
{
    engine_start(RAM, STORE);
    struct uswap_stats start = engine_stats();
    char *set = make_set();
    struct uswap_stats before = engine_stats();
    for (size_t i = 0; i < PAGES; i++) {
        size_t page = down ? PAGES - 1 - i : i;
        engine_verify(page_at(set, page), PAGE_SIZE, page + 1);
    }
    struct uswap_stats after = engine_stats();
    expect(after.bytes_read - before.bytes_read <= SET + SET / 50, "%llu bytes",
           (unsigned long long)(after.bytes_read - before.bytes_read));
    expect(after.faults_major - before.faults_major < PAGES / 20, "%llu faults",
           (unsigned long long)(after.faults_major - before.faults_major));
    engine_expect_swapping(&start);
}

/* Have everything else leave, the masked, too, by changing what is there: no tables grow. */
static void push_out(char *other)
{
    uint64_t random = engine_seed();

    for (size_t i = 0; i < 4 * RAM / PAGE_SIZE; i++) {
        size_t page = engine_below(&random, PAGES);
        engine_verify(page_at(other, page), PAGE_SIZE, page + 1);
        engine_fill(page_at(other, page), PAGE_SIZE, page + 1);
    }
}

/* A page that is written anew and leaves while what it was is being read. */
static void a_page_that_changes_meanwhile(uint64_t first_touched)
{
    const size_t changed = BEGUN + 3;

    engine_start(RAM, STORE);
    char *other = make_set();
    expect(uswap_advise(other, SET, USWAP_RANDOM) == 0);
    char *set = begin_stream();
    expect(uswap_advise(page_at(set, changed), PAGE_SIZE, USWAP_DONT_NEED) == 0);
    engine_fill(page_at(set, changed), PAGE_SIZE, 12345);
    push_out(other);
    expect(engine_resident(page_at(set, changed), PAGE_SIZE) == 0);
    expect(prefetch_pages() == ENDS - BEGUN, "%u pages", prefetch_pages());
    engine_verify(page_at(set, first_touched), PAGE_SIZE,
                  first_touched == changed ? 12345 : BEGUN + 1);
    for (size_t i = BEGUN; i < ENDS; i++)
        engine_verify(page_at(set, i), PAGE_SIZE, i == changed ? 12345 : i + 1);
    verify_from(set, ENDS);
}

/* The addresses are another region's, with other objects. */
static void memory_that_is_unmapped_meanwhile(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *set = begin_stream();
    uswap_unmap(set, SET);
    engine_expect_empty_store();
    char *again = engine_map(SET, object_size);
    engine_verify_zero(again, SET);
    for (size_t at = 0; at < SET; at += PAGE_SIZE)
        engine_fill(again + at, PAGE_SIZE, at + 99);
    for (size_t at = 0; at < SET; at += PAGE_SIZE)
        engine_verify(again + at, PAGE_SIZE, at + 99);
}

static void fork_comes_meanwhile(uint64_t unused)
{
    int status;

    engine_start(RAM, STORE);
    char *set = begin_stream();
    pid_t child = fork();
    expect(child >= 0 && prefetch_pages() == 0, "%u pages", prefetch_pages());
    verify_from(set, 0);
    if (child == 0)
        _exit(0);
    expect(waitpid(child, &status, 0) == child && status == 0, "status %d", status);
}

static void the_budget_shrinks_meanwhile(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *set = begin_stream();
    expect(uswap_set_budget(RAM / 2) == 0);
    expect(engine_stats().resident_bytes <= RAM / 2);
    verify_from(set, 0);
    expect(engine_stats().resident_bytes <= RAM / 2);
}

/* Streams that are begun and not gone on with give their memory back. */
static void streams_that_end_take_nothing(uint64_t unused)
{
    uint64_t random = engine_seed();

    engine_start(RAM, STORE);
    char *set = make_set();
    for (int stream = 0; stream < 2000; stream++) {
        size_t first = engine_below(&random, PAGES - STREAM);
        for (size_t i = first; i < first + STREAM; i++)
            engine_verify(page_at(set, i), PAGE_SIZE, i + 1);
        expect(prefetch_pages() <= RAM / PAGE_SIZE / 64, "%u pages", prefetch_pages());
    }
    expect(prefetch_drop_all() && prefetch_pages() == 0);
    expect(engine_stats().resident_bytes <= RAM);
}

/* Also when nobody reads in order any more. */
static void streams_that_end_are_forgotten(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *other = make_set();
    expect(uswap_advise(other, SET, USWAP_RANDOM) == 0);
    begin_stream();
    for (size_t i = 0; i < 4 * PAGES && prefetch_pages(); i++)
        engine_verify(page_at(other, i % PAGES), PAGE_SIZE, i % PAGES + 1);
    expect(prefetch_pages() == 0, "%u pages", prefetch_pages());
}

/* Without asynchronous reads there is nothing to begin, and nothing is read that nobody wants. */
static void without_asynchronous_reads_none_is_begun(uint64_t unused)
{
    setenv("USWAP_IO", "sync", 1);
    engine_start(RAM, STORE);
    char *set = make_set();
    struct uswap_stats before = engine_stats();
    for (size_t i = 0; i < PAGES; i++) {
        engine_verify(page_at(set, i), PAGE_SIZE, i + 1);
        expect(prefetch_pages() == 0);
    }
    struct uswap_stats after = engine_stats();
    expect(after.bytes_read - before.bytes_read <= SET, "%llu bytes",
           (unsigned long long)(after.bytes_read - before.bytes_read));
}

/* ---- Threads ---- */

#define BLOCK  (8 * PAGE_SIZE)
#define BLOCKS (SET / BLOCK)

/* A stream stands still now and then, so that what it is going to want changes, and leaves. */
#define PAUSE    50
#define PAUSE_US 100000

static struct {
    char *set;
    pthread_mutex_t locks[BLOCKS];
    uint64_t tags[BLOCKS];
    _Atomic unsigned going;
} shared;

static void verify_block(size_t i)
{
    char *block = shared.set + i * BLOCK;

    pthread_mutex_lock(&shared.locks[i]);
    if (shared.tags[i])
        engine_verify(block, BLOCK, shared.tags[i]);
    else
        engine_verify_zero(block, BLOCK);
    pthread_mutex_unlock(&shared.locks[i]);
}

static void change_block(size_t i, uint64_t tag)
{
    char *block = shared.set + i * BLOCK;

    pthread_mutex_lock(&shared.locks[i]);
    expect(uswap_advise(block, BLOCK, USWAP_DONT_NEED) == 0); /* a touch would take the prefetch */
    shared.tags[i] = tag % 8 ? tag : 0;
    if (shared.tags[i])
        engine_fill(block, BLOCK, tag);
    pthread_mutex_unlock(&shared.locks[i]);
}

/* One goes up, one goes down, one changes what lies before them. */
static void stream_or_change(void *unused, unsigned thread)
{
    uint64_t random = engine_seed() + thread;

    for (unsigned pass = 0; thread < 2 && pass < (ENGINE_SANITIZED ? 1 : 4); pass++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            verify_block(thread ? BLOCKS - 1 - i : i);
            if (i % PAUSE == 0)
                usleep(PAUSE_US);
        }
    }
    if (thread < 2)
        atomic_fetch_sub(&shared.going, 1);
    while (thread == 2 && atomic_load(&shared.going))
        change_block(engine_below(&random, BLOCKS), engine_random(&random) | 1u << 20);
}

static void others_change_what_streams_want(uint64_t unused)
{
    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    shared.set = engine_map(SET, PAGE_SIZE);
    shared.going = 2;
    for (size_t i = 0; i < BLOCKS; i++) {
        pthread_mutex_init(&shared.locks[i], NULL);
        change_block(i, 8 * i + 1);
    }
    engine_threads(3, stream_or_change, NULL);
    for (size_t i = 0; i < BLOCKS; i++)
        verify_block(i);
    engine_expect_swapping(&before);
}

static const struct engine_case cases[] = {
    {.name = "what_was_read_early_is_not_read_again", .run = what_was_read_early_is_not_read_again},
    {.name = "streams_up_waste_little", .run = streams_waste_little, .parameter = false},
    {.name = "streams_down_waste_little", .run = streams_waste_little, .parameter = true},
    {.name = "a_page_that_changes_meanwhile_touched_first",
     .run = a_page_that_changes_meanwhile,
     .parameter = BEGUN + 3},
    {.name = "a_page_that_changes_meanwhile_touched_later",
     .run = a_page_that_changes_meanwhile,
     .parameter = BEGUN},
    {.name = "memory_that_is_unmapped_meanwhile_4k",
     .run = memory_that_is_unmapped_meanwhile,
     .parameter = 4 * KIB},
    {.name = "memory_that_is_unmapped_meanwhile_64k",
     .run = memory_that_is_unmapped_meanwhile,
     .parameter = 64 * KIB},
    {.name = "fork_comes_meanwhile", .run = fork_comes_meanwhile},
    {.name = "the_budget_shrinks_meanwhile", .run = the_budget_shrinks_meanwhile},
    {.name = "streams_that_end_take_nothing", .run = streams_that_end_take_nothing},
    {.name = "streams_that_end_are_forgotten", .run = streams_that_end_are_forgotten},
    {.name = "without_asynchronous_reads_none_is_begun",
     .run = without_asynchronous_reads_none_is_begun},
    {.name = "others_change_what_streams_want", .run = others_change_what_streams_want},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
