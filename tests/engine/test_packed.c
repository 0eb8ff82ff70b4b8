/* SPDX-License-Identifier: MIT */
/*
 * Compressed RAM: what is in there comes back as it was, when it is read, pushed out into the
 * store, changed, shared with a child or damaged, and while the store cannot be written. Of four
 * pages one does not shrink (engine_kit.c).
 */
#include "engine_test.h"

#include "store/inject.h"
#include "store/packed_log.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM   (16 * MIB)
#define STORE (128 * MIB)
#define SET   (40 * MIB)
#define PAGES (SET / PAGE_SIZE)

static uint8_t generation[PAGES]; /* of what each page holds */
static char *memory;

static void *page_at(uint64_t page)
{
    return memory + page * PAGE_SIZE;
}

static uint64_t tag_of(uint64_t page)
{
    return page * 256 + generation[page] + 1;
}

static void write_page(uint64_t page)
{
    generation[page]++;
    engine_fill(page_at(page), PAGE_SIZE, tag_of(page));
}

static void check_page(uint64_t page)
{
    engine_verify(page_at(page), PAGE_SIZE, tag_of(page));
}

/* The swap thread adds room, or empties some, before pages are put there. */
static bool holds_more_than_it_takes(void)
{
    struct uswap_stats stats = engine_stats();

    return stats.compressed_bytes > stats.compressed_ram_bytes;
}

static void start(void)
{
    engine_start(RAM, STORE);
    memory = engine_map(SET, PAGE_SIZE);
    for (uint64_t page = 0; page < PAGES; page++)
        write_page(page);
    for (uint64_t page = 0; page < PAGES && !holds_more_than_it_takes(); page++)
        check_page(page);
    expect(holds_more_than_it_takes());
}

static void check_all(void)
{
    for (uint64_t page = 0; page < PAGES; page += ENGINE_SANITIZED ? 7 : 1)
        check_page(page);
}

/* It was used, and what is resident stayed within the budget. */
static void expect_compression(void)
{
    struct uswap_stats stats = engine_stats();

    expect(stats.bytes_compressed > MIB && stats.bytes_decompressed > MIB, "%lu %lu",
           (unsigned long)stats.bytes_compressed, (unsigned long)stats.bytes_decompressed);
    expect(stats.resident_peak_bytes <= RAM, "%lu", (unsigned long)stats.resident_peak_bytes);
    expect(stats.objects_poisoned == 0);
}

/* A step takes milliseconds with sanitizers. */
static void use_at_random(uint64_t state, uint64_t steps, unsigned part, unsigned parts)
{
    for (uint64_t i = 0; i < steps / (ENGINE_SANITIZED ? 8 : 1); i++) {
        uint64_t page = engine_below(&state, PAGES / parts) * parts + part;
        check_page(page);
        if (engine_below(&state, 2))
            write_page(page);
    }
}

static void random_use_keeps_content(uint64_t unused)
{
    start();
    use_at_random(engine_seed(), 8000, 0, 1);
    check_all();
    expect_compression();
    expect(uswap_unmap(memory, SET) == 0);
    engine_expect_empty_store();
    expect(engine_stats().compressed_bytes == 0);
}

static void use_in_thread(void *argument, unsigned thread)
{
    use_at_random(engine_seed() + thread, 2500, thread, 4);
}

static void threads_keep_content(uint64_t unused)
{
    start();
    engine_threads(4, use_in_thread, NULL);
    check_all();
    expect_compression();
}

/* What has left before takes the place of the oldest, which goes into the store. */
static void the_oldest_goes_into_the_store(uint64_t unused)
{
    uint64_t pages;

    start();
    use_at_random(engine_seed(), 8000, 0, 1);
    pages = packed_segments() * (uint64_t)PACKED_SEGMENT_PAGES;
    expect(ENGINE_SANITIZED || engine_stats().bytes_compressed > 2 * pages * PAGE_SIZE);
    check_all();
    expect_compression();
}

static void a_store_that_fails_loses_nothing(uint64_t unused)
{
    static struct inject plan = {.writes = true, .skip = 20, .count = 60, .error = -EIO};

    engine_keep_messages();
    start();
    inject_set(&plan);
    use_at_random(engine_seed(), 8000, 0, 1);
    inject_set(NULL);
    expect(ENGINE_SANITIZED || engine_stats().io_errors > 0);
    use_at_random(engine_seed() + 1, 5000, 0, 1);
    check_all();
    expect(engine_stats().objects_poisoned == 0);
}

static void a_slow_store_holds_up_nothing_wrong(uint64_t unused)
{
    static struct inject plan = {.writes = true, .count = 200, .delay_ns = 5000000};

    start();
    inject_set(&plan);
    engine_threads(4, use_in_thread, NULL);
    inject_set(NULL);
    check_all();
    expect_compression();
}

static void change_and_check(unsigned number)
{
    use_at_random(engine_seed() + number, 2000, number, 2);
    check_all();
}

static void parent_and_child_each_have_their_own(uint64_t unused)
{
    pid_t child;
    int status;

    start();
    use_at_random(engine_seed(), 5000, 0, 1);
    expect(engine_stats().compressed_bytes > 0);
    child = fork();
    change_and_check(child == 0);
    if (child == 0)
        _exit(0);
    expect(waitpid(child, &status, 0) == child && status == 0, "%d", status);
    expect_compression();
    expect(uswap_unmap(memory, SET) == 0);
    engine_expect_empty_store();
}

static void a_smaller_budget_takes_it_along(uint64_t unused)
{
    uint64_t before;

    start();
    use_at_random(engine_seed(), 5000, 0, 1);
    before = engine_stats().compressed_ram_bytes;
    expect(uswap_set_budget(10 * MIB) == 0);
    expect(engine_stats().resident_bytes <= 10 * MIB);
    use_at_random(engine_seed() + 1, 3000, 0, 1);
    expect(engine_stats().compressed_ram_bytes < before);
    expect(uswap_set_budget(RAM) == 0);
    check_all();
    expect_compression();
}

/* Budget and store hold just what is promised: compressed RAM gives way. */
static void a_full_store_is_enough(uint64_t unused)
{
    engine_start(RAM, SET - 8 * MIB);
    memory = engine_map(SET, PAGE_SIZE);
    for (unsigned i = 0; i < 3; i++)
        for (uint64_t page = 0; page < PAGES; page++)
            write_page(page);
    use_at_random(engine_seed(), 5000, 0, 1);
    check_all();
    expect(engine_stats().resident_peak_bytes <= RAM);
    expect(engine_stats().objects_poisoned == 0);
}

/* Bits that flip in memory are found as those in a file are. */
static void damage_is_found(uint64_t unused)
{
    uint64_t page = 0;

    engine_catch_faults();
    engine_keep_messages();
    start();
    while (packed.full.first == SEGMENT_NONE)
        check_page(page++ % PAGES);
    packed.memory[(uint64_t)packed.full.first * PACKED_SEGMENT_BYTES + 24] ^= 4;
    for (page = 0; page < PAGES && engine_probe(page_at(page)) == 0; page++)
        ;
    expect(page < PAGES);
    expect(engine_probe(page_at(page)) == SIGBUS);
    expect(engine_stats().objects_poisoned == 1);
    expect(engine_said("is lost", "compressed RAM"));
}

/* ---- LZ4 at first, Zstandard later ---- */

#define AUTO_RAM   (40 * MIB)
#define AUTO_PAGES (96 * MIB / PAGE_SIZE)

/* Half of a page is hexadecimal digits at random: for LZ4 they do not shrink, for Zstandard they do
 * by half. */
static void make_digits(char *content, uint64_t page)
{
    uint64_t random = page + 1;

    memset(content, 'x', PAGE_SIZE);
    for (unsigned i = 0; i < PAGE_SIZE / 2; i++)
        content[i] = "0123456789abcdef"[engine_below(&random, 16)];
}

static void check_content(uint64_t page, uint64_t like)
{
    char content[PAGE_SIZE];

    make_digits(content, like);
    expect(memcmp(page_at(page), content, PAGE_SIZE) == 0, "page %lu", (unsigned long)page);
}

static void check_digits(uint64_t page)
{
    check_content(page, page);
}

static double density(void)
{
    struct uswap_stats stats = engine_stats();

    return (double)stats.compressed_bytes / (double)stats.compressed_ram_bytes;
}

static void fill_with_digits(void)
{
    setenv("USWAP_COMPRESS", "auto", 1);
    engine_start(AUTO_RAM, STORE);
    memory = engine_map(AUTO_PAGES * PAGE_SIZE, PAGE_SIZE);
    for (uint64_t page = 0; page < AUTO_PAGES; page++)
        make_digits(page_at(page), page);
}

/* What is written in less time than it takes to pack it is not packed when it leaves first. */
static void what_was_packed_in_haste_becomes_denser(uint64_t unused)
{
    static struct inject slow = {.writes = true, .count = UINT_MAX, .delay_ns = 1000000};
    uint64_t random = engine_seed();
    double before;

    inject_set(&slow);
    fill_with_digits();
    inject_set(NULL);
    before = density();
    expect(before > 1.3 && before < 2.2, "%.2f", before);
    for (unsigned i = 0; i < 200000 && density() < 2.6; i++)
        check_digits(engine_below(&random, AUTO_PAGES));
    expect(density() >= 2.6, "%.2f after %.2f", density(), before);
    for (uint64_t page = 0; page < AUTO_PAGES; page++)
        check_digits(page);
    expect(engine_stats().objects_poisoned == 0);
}

/* Pages are written to, or leave again, between being missed and being packed. */
static void what_is_missed_enters_and_keeps_content(uint64_t unused)
{
    static uint8_t writes[AUTO_PAGES];
    uint64_t random = engine_seed(), before;

    fill_with_digits();
    before = engine_stats().bytes_compressed;
    for (unsigned i = 0; i < (ENGINE_SANITIZED ? 10000 : 60000); i++) {
        uint64_t page = engine_below(&random, AUTO_PAGES);
        check_content(page, page + writes[page] * AUTO_PAGES);
        if (engine_below(&random, 4) == 0)
            make_digits(page_at(page), page + ++writes[page] * AUTO_PAGES);
    }
    expect(engine_stats().bytes_compressed > before + (ENGINE_SANITIZED ? 1 : 16) * MIB);
    for (uint64_t page = 0; page < AUTO_PAGES; page++)
        check_content(page, page + writes[page] * AUTO_PAGES);
    expect(engine_stats().objects_poisoned == 0);
    expect(uswap_unmap(memory, AUTO_PAGES * PAGE_SIZE) == 0);
    engine_expect_empty_store();
}

/* Half of the budget, in steps of some pages, round and round. */
#define ROUND  (RAM / 2 / PAGE_SIZE - 1)
#define STEP   9
#define ROUNDS 300
_Static_assert(ROUND % 3, "a round comes to each of its pages");

/* What would stay in memory if compressed RAM had less of it: it gets less, though what is missed
 * is read ahead, and comes from there or from the store. */
static void what_is_used_round_and_round_stays(uint64_t unused)
{
    struct uswap_stats before, after;

    start();
    for (uint64_t round = 0; round < ROUNDS; round++) {
        before = engine_stats();
        for (uint64_t i = 0; i < ROUND; i++)
            (void)*(volatile char *)page_at(i * STEP % ROUND);
    }
    after = engine_stats();
    expect(after.faults_major - before.faults_major < ROUND / 100, "%lu faults",
           (unsigned long)(after.faults_major - before.faults_major));
    check_all();
    expect_compression();
}

static const struct engine_case cases[] = {
    {.name = "random_use_keeps_content", .run = random_use_keeps_content},
    {.name = "threads_keep_content", .run = threads_keep_content},
    {.name = "the_oldest_goes_into_the_store", .run = the_oldest_goes_into_the_store},
    {.name = "a_store_that_fails_loses_nothing", .run = a_store_that_fails_loses_nothing},
    {.name = "a_slow_store_holds_up_nothing_wrong", .run = a_slow_store_holds_up_nothing_wrong},
    {.name = "parent_and_child_each_have_their_own", .run = parent_and_child_each_have_their_own},
    {.name = "a_smaller_budget_takes_it_along", .run = a_smaller_budget_takes_it_along},
    {.name = "a_full_store_is_enough", .run = a_full_store_is_enough},
    {.name = "damage_is_found", .run = damage_is_found},
    {.name = "what_is_used_round_and_round_stays", .run = what_is_used_round_and_round_stays},
    {.name = "what_was_packed_in_haste_becomes_denser",
     .run = what_was_packed_in_haste_becomes_denser},
    {.name = "what_is_missed_enters_and_keeps_content",
     .run = what_is_missed_enters_and_keeps_content},
};

int main(int argc, char **argv)
{
    setenv("USWAP_COMPRESS", "lz4", 0);
    return engine_test_main(argc, argv, cases, array_size(cases));
}
