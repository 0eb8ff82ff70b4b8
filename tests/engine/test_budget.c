/* SPDX-License-Identifier: MIT */
/* The budget: kept as the kernel counts memory, changed while the program runs, and refused when
 * wrong. */
#include "engine_test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define THREADS  5
#define SET      (64 * MIB)
#define BIG_SET  (512 * MIB)
#define WIDE_SET (256 * MIB)

static void verify_page(const char *set, uint64_t page, uint64_t version)
{
    engine_verify(set + page * PAGE_SIZE, PAGE_SIZE, page << 16 | version);
}

static void fill_pages(char *set, size_t size)
{
    for (uint64_t page = 0; page < size / PAGE_SIZE; page++)
        engine_fill(set + page * PAGE_SIZE, PAGE_SIZE, page << 16 | 1);
}

static void change_budgets(uint64_t *random)
{
    for (unsigned change = 0; change < 12; change++) {
        uint64_t ram = (12 + engine_below(random, 60)) * MIB;
        expect(uswap_set_budget(ram) == 0);
        for (unsigned look = 0; look < 5; look++) {
            struct uswap_stats stats = engine_stats();
            expect(stats.ram_budget_bytes == ram);
            expect(stats.resident_bytes <= ram, "%llu bytes resident, budget %llu",
                   (unsigned long long)stats.resident_bytes, (unsigned long long)ram);
            usleep(20000);
        }
    }
}

struct load {
    char *set;
    _Atomic bool stop;
};

/* Thread 0 changes the budget; each other one writes and checks the pages of its own share. */
static void load_thread(void *argument, unsigned thread)
{
    struct load *load = argument;
    uint64_t random = engine_seed() + thread;
    const uint64_t share = SET / PAGE_SIZE / (THREADS - 1);
    uint64_t first = share * (thread - 1);
    uint8_t *versions = calloc(share, 1);

    expect(versions != NULL);
    if (thread == 0) {
        change_budgets(&random);
        load->stop = true;
        free(versions);
        return;
    }
    while (!load->stop) {
        uint64_t i = engine_below(&random, share);
        verify_page(load->set, first + i, versions[i] + 1u);
        if (versions[i] < UINT8_MAX)
            versions[i]++;
        engine_fill(load->set + (first + i) * PAGE_SIZE, PAGE_SIZE,
                    (first + i) << 16 | (versions[i] + 1u));
    }
    for (uint64_t i = 0; i < share; i++)
        verify_page(load->set, first + i, versions[i] + 1u);
    free(versions);
}

static void changed_under_load(uint64_t object_size)
{
    struct load load = {0};

    engine_start(32 * MIB, 256 * MIB);
    struct uswap_stats before = engine_stats();
    load.set = engine_map(SET, object_size);
    fill_pages(load.set, SET);
    engine_threads(THREADS, load_thread, &load);
    engine_expect_swapping(&before);
}

static void growing_makes_room(uint64_t unused)
{
    engine_start(16 * MIB, 256 * MIB);
    char *set = engine_map(SET, 4 * KIB);
    fill_pages(set, SET);
    expect(engine_resident(set, SET) * PAGE_SIZE <= 16 * MIB);
    expect(uswap_set_budget(128 * MIB) == 0);
    for (unsigned pass = 0; pass < 2; pass++)
        for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
            verify_page(set, page, 1);
    expect(engine_resident(set, SET) == SET / PAGE_SIZE);
    uint64_t major = engine_stats().faults_major;
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        verify_page(set, page, 1);
    expect(engine_stats().faults_major == major);
}

static void shrinking_gives_memory_back(uint64_t unused)
{
    engine_start(128 * MIB, 256 * MIB);
    char *set = engine_map(SET, 4 * KIB);
    fill_pages(set, SET);
    expect(engine_resident(set, SET) == SET / PAGE_SIZE);
    expect(uswap_set_budget(16 * MIB) == 0);
    expect(engine_resident(set, SET) * PAGE_SIZE <= 16 * MIB);
    expect(engine_stats().resident_bytes <= 16 * MIB, "%llu",
           (unsigned long long)engine_stats().resident_bytes);
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        verify_page(set, page, 1);
}

/* What was needed does not become less when it is given back, though nothing had to be swapped. */
static void what_was_needed_is_known_at_the_end(uint64_t unused)
{
    void *memory;

    engine_start(64 * MIB, GIB);
    expect(uswap_map(24 * MIB, NULL, &memory) == 0);
    memset(memory, 1, 24 * MIB);
    expect(uswap_unmap(memory, 24 * MIB) == 0);
    expect(engine_stats().objects_evicted == 0);
    expect(engine_stats().ram_needed_bytes >= 24 * MIB, "%llu bytes",
           (unsigned long long)engine_stats().ram_needed_bytes);
}

static void wrong_budgets_are_refused(uint64_t unused)
{
    const uint64_t ram = 64 * MIB;

    engine_start(ram, 32 * MIB);
    char *set = engine_map(SET, 4 * KIB);
    fill_pages(set, SET);
    expect(uswap_set_budget(8 * MIB - 1) == -EINVAL);
    expect(uswap_set_budget(0) == -EINVAL);
    expect(uswap_set_budget(16 * MIB) == -ENOMEM, "64 MiB do not fit in 16 and 32");
    expect(engine_stats().ram_budget_bytes == ram);
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        verify_page(set, page, 1);
}

/* Every page has left, and some again in an order that opens all the slots in reserve. */
static void use_slots(char *set, size_t size)
{
    uint64_t random = engine_seed(), pages = size / PAGE_SIZE;

    for (unsigned turn = 0; turn < 2; turn++)
        fill_pages(set, size);
    for (uint64_t step = 0; step < pages / 2; step++) {
        uint64_t page = engine_below(&random, pages);
        engine_fill(set + page * PAGE_SIZE, PAGE_SIZE, page << 16 | (2 + step % 8));
    }
}

/*
 * What a window needs beyond what depends on the budget is less than 0.5 % of it. What is rounded
 * to pages, and the slots that are open beyond half again what is in use, cost as much for a small
 * window as for a large one: at most 16 KiB. What compressed RAM needs is extra.
 */
static void metadata_is_less_than_half_a_percent(uint64_t object_size)
{
    struct uswap_options options = engine_options(32 * MIB, GIB);

    options.compress = USWAP_COMPRESS_OFF;
    expect(uswap_start(&options) == 0);
    use_slots(engine_map(SET, object_size), SET);
    uint64_t before = engine_stats().metadata_bytes;
    use_slots(engine_map(WIDE_SET, object_size), WIDE_SET);
    struct uswap_stats stats = engine_stats();
    uint64_t grown = stats.metadata_bytes - before;
    expect(grown <= WIDE_SET / 200 + 16 * KIB, "%llu bytes", (unsigned long long)grown);
    expect(stats.resident_bytes >= stats.metadata_bytes);
}

/* Everything that makes memory resident, over BIG_SET; parameter 0: only what the program itself
 * is.
 */
static void use_all(uint64_t ram)
{
    uint64_t random = engine_seed();

    if (ram == 0)
        return;
    engine_start(ram, BIG_SET + BIG_SET / 4);
    struct uswap_stats before = engine_stats();
    char *set = engine_map(BIG_SET, 4 * KIB);
    fill_pages(set, BIG_SET);
    for (unsigned step = 0; step < 12000; step++)
        verify_page(set, engine_below(&random, BIG_SET / PAGE_SIZE), 1);
    for (uint64_t page = 0; page < BIG_SET / PAGE_SIZE; page++)
        verify_page(set, page, 1);
    engine_expect_swapping(&before);
    struct uswap_stats stats = engine_stats();
    expect(stats.resident_peak_bytes <= ram, "%llu", (unsigned long long)stats.resident_peak_bytes);
    expect(stats.resident_bytes <= stats.resident_peak_bytes, "%llu, peak %llu",
           (unsigned long long)stats.resident_bytes, (unsigned long long)stats.resident_peak_bytes);
}

#if !ENGINE_SANITIZED /* the sanitizer's own memory grows with what is touched */
static void judge_peak(const struct engine_end *end, uint64_t ram)
{
    static const struct engine_case bare = {.name = "use_nothing", .run = use_all};
    uint64_t own = engine_run(&bare).peak_rss;
    uint64_t limit = ram + own + max_u64(ram / 20, 8 * MIB);

    printf("budget %llu MiB: peak RSS %llu KiB, the program alone %llu KiB\n",
           (unsigned long long)(ram / MIB), (unsigned long long)(end->peak_rss / KIB),
           (unsigned long long)(own / KIB));
    if (end->peak_rss > limit)
        fail_msg("peak RSS is over the limit of %llu KiB", (unsigned long long)(limit / KIB));
}
#endif

static const struct engine_case cases[] = {
    {.name = "changed_under_load_4k", .run = changed_under_load, .parameter = 4 * KIB},
    {.name = "changed_under_load_64k", .run = changed_under_load, .parameter = 64 * KIB},
    {.name = "growing_makes_room", .run = growing_makes_room},
    {.name = "shrinking_gives_memory_back", .run = shrinking_gives_memory_back},
    {.name = "what_was_needed_is_known_at_the_end", .run = what_was_needed_is_known_at_the_end},
    {.name = "wrong_budgets_are_refused", .run = wrong_budgets_are_refused},
    {.name = "metadata_is_less_than_half_a_percent_4k",
     .run = metadata_is_less_than_half_a_percent,
     .parameter = 4 * KIB},
    {.name = "metadata_is_less_than_half_a_percent_64k",
     .run = metadata_is_less_than_half_a_percent,
     .parameter = 64 * KIB},
    {.name = "use_nothing", .run = use_all},
#if !ENGINE_SANITIZED
    {.name = "peak_rss_32m", .run = use_all, .parameter = 32 * MIB, .judge = judge_peak},
    {.name = "peak_rss_64m", .run = use_all, .parameter = 64 * MIB, .judge = judge_peak},
#endif
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
