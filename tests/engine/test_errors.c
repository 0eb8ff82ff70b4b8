/* SPDX-License-Identifier: MIT */
/* Stores that are full, fail, fall short or give back other bytes: no wrong data, and a message. */
#include "engine_test.h"

#include "store/inject.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAM   (16 * MIB)
#define STORE (128 * MIB)
#define SET   (40 * MIB)

static void fill_pages(char *memory, size_t size, uint64_t tag)
{
    for (size_t at = 0; at < size; at += PAGE_SIZE)
        engine_fill(memory + at, PAGE_SIZE, at + tag);
}

static void verify_pages(const char *memory, size_t size, uint64_t tag)
{
    for (size_t at = 0; at < size; at += PAGE_SIZE)
        engine_verify(memory + at, PAGE_SIZE, at + tag);
}

static void a_full_store_refuses(uint64_t unused)
{
    void *none = NULL;

    engine_start(RAM, RAM);
    expect(uswap_map(SET, NULL, &none) == -ENOMEM);
    char *memory = engine_map(20 * MIB, 4 * KIB);
    expect(uswap_map(16 * MIB, NULL, &none) == -ENOMEM);
    for (unsigned pass = 1; pass <= 3; pass++) {
        fill_pages(memory, 20 * MIB, pass);
        verify_pages(memory, 20 * MIB, pass);
    }
    expect(uswap_map(16 * MIB, NULL, &none) == -ENOMEM);
    expect(uswap_unmap(memory, 10 * MIB) == 0);
    char *more = engine_map(10 * MIB, 4 * KIB);
    fill_pages(more, 10 * MIB, 4);
    for (size_t at = 10 * MIB; at < 20 * MIB; at += PAGE_SIZE)
        engine_verify(memory + at, PAGE_SIZE, at + 3);
    verify_pages(more, 10 * MIB, 4);
    expect(engine_stats().resident_peak_bytes <= RAM);
    expect(engine_stats().objects_poisoned == 0);
}

/* Whatever can be committed can be used, to the last page. */
static void all_that_is_promised_can_be_used(uint64_t object_size)
{
    void *address;
    struct uswap_map_options options = {.object_size = object_size};
    size_t count = 0;
    static char *regions[256];

    engine_start(RAM, RAM);
    while (count < array_size(regions) && uswap_map(256 * KIB, &options, &address) == 0)
        regions[count++] = address;
    expect(count > RAM / (256 * KIB), "%zu regions", count);
    for (unsigned pass = 1; pass <= 2; pass++) {
        for (size_t i = 0; i < count; i++)
            fill_pages(regions[i], 256 * KIB, i << 32 | pass);
        for (size_t i = 0; i < count; i++)
            verify_pages(regions[i], 256 * KIB, i << 32 | pass);
    }
    expect(engine_stats().resident_peak_bytes <= RAM);
}

/* What was never promised is kept all the same, over the budget if it must be. */
static void overcommit_loses_nothing(uint64_t unused)
{
    struct uswap_map_options options = {.flags = USWAP_MAP_OVERCOMMIT};
    void *memory = NULL;

    engine_keep_messages();
    engine_start(RAM, RAM);
    expect(uswap_map(SET, &options, &memory) == 0, "budget and store cannot hold all of it");
    expect(engine_stats().committed_bytes < SET);
    for (unsigned pass = 1; pass <= 2; pass++) {
        fill_pages(memory, 20 * MIB, pass);
        verify_pages(memory, 20 * MIB, pass);
    }
    expect(engine_said_count() == 0, "all of this fits, but: %s", engine_last_message());
    fill_pages(memory, SET, 3);
    verify_pages(memory, SET, 3);
    expect(engine_said_count() > 0 && engine_said_count() < 20);
}

static struct uswap_stats use_with(struct inject *plan)
{
    engine_keep_messages();
    engine_start(RAM, STORE);
    char *memory = engine_map(SET, 4 * KIB);
    inject_set(plan);
    for (unsigned pass = 1; pass <= 2; pass++) {
        fill_pages(memory, SET, pass);
        verify_pages(memory, SET, pass);
    }
    inject_set(NULL);
    expect(plan->seen > plan->skip);
    return engine_stats();
}

static void expect_resumed(bool writes, uint64_t most)
{
    static struct inject plan = {.skip = 3, .count = 400};

    plan.writes = writes;
    plan.most = most;
    struct uswap_stats stats = use_with(&plan);
    expect(stats.io_errors == 0 && stats.objects_poisoned == 0);
    expect(engine_said_count() == 0, "%s", engine_last_message());
}

static void short_writes_are_resumed(uint64_t most)
{
    expect_resumed(true, most);
}

static void short_reads_are_resumed(uint64_t most)
{
    expect_resumed(false, most);
}

static void failed_writes_lose_nothing(uint64_t unused)
{
    static struct inject plan = {.writes = true, .skip = 5, .count = 2, .error = -EIO};
    struct uswap_stats stats = use_with(&plan);

    expect(stats.io_errors > 0 && stats.objects_poisoned == 0);
}

/* A store that takes nothing at all: what was accepted stays in memory, over the budget if it must.
 */
static void a_dead_store_loses_nothing(uint64_t unused)
{
    static struct inject plan = {.writes = true, .count = UINT64_MAX, .error = -EIO};

    engine_keep_messages();
    engine_start(RAM, STORE);
    char *memory = engine_map(SET, 4 * KIB);
    inject_set(&plan);
    fill_pages(memory, 24 * MIB, 1);
    verify_pages(memory, 24 * MIB, 1);
    expect(engine_said("EIO", engine_directory()));
    expect(engine_said_count() < 40, "%u messages, last: %s", engine_said_count(),
           engine_last_message());
    inject_set(NULL);
    fill_pages(memory, 24 * MIB, 2);
    verify_pages(memory, 24 * MIB, 2);
    expect(engine_stats().objects_poisoned == 0);
}

static void slow_writes_keep_the_budget(uint64_t unused)
{
    static struct inject plan = {.writes = true, .count = 100, .delay_ns = 20000000};
    struct uswap_stats stats = use_with(&plan);

    expect(stats.resident_peak_bytes <= RAM);
}

/* A filled and evicted region without read-ahead: each page that is away is read when touched. */
static char *evicted_region(void)
{
    char *memory = engine_map(RAM / 2, 4 * KIB);

    expect(uswap_advise(memory, RAM / 2, USWAP_RANDOM) == 0);
    fill_pages(memory, RAM / 2, 1);
    engine_evict_all();
    expect(engine_resident(memory, RAM / 2) == 0);
    return memory;
}

/* The page is lost; everything else is as it was, and the page can be used again once it is
 * dropped. */
static void expect_only_lost(char *memory, char *lost)
{
    expect(engine_probe(lost) == SIGBUS, "it stays so");
    expect(engine_stats().objects_poisoned == 1);
    for (char *page = memory; page < memory + RAM / 2; page += PAGE_SIZE)
        if (page != lost)
            engine_verify(page, PAGE_SIZE, (uint64_t)(page - memory) + 1);
    expect(uswap_pin(lost, 1) == -EIO);
    expect(uswap_advise(lost, PAGE_SIZE, USWAP_DONT_NEED) == 0);
    engine_verify_zero(lost, PAGE_SIZE);
    engine_fill(lost, PAGE_SIZE, 7);
    engine_evict_all();
    engine_verify(lost, PAGE_SIZE, 7);
}

static void failed_reads_give_sigbus(uint64_t unused)
{
    static struct inject plan = {.count = UINT64_MAX, .error = -EIO};
    char address[32];

    engine_keep_messages();
    engine_catch_faults();
    engine_start(RAM, STORE);
    char *memory = evicted_region();
    char *lost = memory + 5 * PAGE_SIZE;
    inject_set(&plan);
    expect(engine_probe(lost + 17) == SIGBUS);
    inject_set(NULL);
    snprintf(address, sizeof(address), "%p", (void *)lost);
    expect(engine_said(address, "EIO") && engine_said(address, engine_directory()));
    expect(engine_stats().io_errors > 0);
    expect_only_lost(memory, lost);
}

/* The file that the store has open; it has no name any more. */
static int open_swap_file(void)
{
    char path[512];
    char target[512];
    struct dirent *entry;
    int found = -1;
    DIR *fds = opendir("/proc/self/fd");

    while (fds && (entry = readdir(fds))) {
        snprintf(path, sizeof(path), "/proc/self/fd/%.40s", entry->d_name);
        ssize_t length = readlink(path, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        if (found < 0 && strncmp(target, engine_directory(), strlen(engine_directory())) == 0)
            found = open(path, O_RDWR | O_CLOEXEC);
    }
    if (fds)
        closedir(fds);
    expect(found >= 0, "no file of the store in %s", engine_directory());
    return found;
}

/* Write something else over the stored copy of a page. */
static void replace(const char *page, const char *other)
{
    static char found[PAGE_SIZE];
    int fd = open_swap_file();
    unsigned copies = 0;

    for (off_t at = 0; pread(fd, found, PAGE_SIZE, at) == (ssize_t)PAGE_SIZE; at += PAGE_SIZE) {
        if (memcmp(found, page, PAGE_SIZE) != 0)
            continue;
        expect(pwrite(fd, other, PAGE_SIZE, at) == (ssize_t)PAGE_SIZE && fsync(fd) == 0);
        copies++;
    }
    expect(copies > 0, "the page is not in the file");
    close(fd);
}

/* Turn any bit of the stored copy of the page with this tag around. */
static void damage(uint64_t tag)
{
    static char page[PAGE_SIZE], other[PAGE_SIZE];
    uint64_t random = engine_seed() + tag;
    uint64_t bit = engine_below(&random, 8 * PAGE_SIZE);

    engine_fill(page, PAGE_SIZE, tag);
    memcpy(other, page, PAGE_SIZE);
    other[bit / 8] ^= (char)(1 << bit % 8);
    replace(page, other);
}

static void a_flipped_bit_gives_sigbus(uint64_t unused)
{
    char address[32];

    engine_keep_messages();
    engine_catch_faults();
    engine_start(RAM, STORE);
    char *memory = evicted_region();
    char *lost = memory + 9 * PAGE_SIZE;
    damage(9 * PAGE_SIZE + 1);
    expect(engine_probe(lost) == SIGBUS);
    snprintf(address, sizeof(address), "%p", (void *)lost);
    expect(engine_said(address, "checksum") && engine_said(address, engine_directory()));
    expect_only_lost(memory, lost);
}

/* Each page is right, and in the place of another. */
static void a_misplaced_page_gives_sigbus(uint64_t unused)
{
    static char page[PAGE_SIZE], other[PAGE_SIZE];

    engine_keep_messages();
    engine_catch_faults();
    engine_start(RAM, STORE);
    char *memory = evicted_region();
    uint64_t errors = engine_stats().io_errors;
    engine_fill(page, PAGE_SIZE, 9 * PAGE_SIZE + 1);
    engine_fill(other, PAGE_SIZE, 10 * PAGE_SIZE + 1);
    replace(page, other);
    expect(engine_probe(memory + 9 * PAGE_SIZE) == SIGBUS);
    expect(engine_stats().io_errors > errors);
    expect_only_lost(memory, memory + 9 * PAGE_SIZE);
}

static void a_flipped_bit_ends_the_program(uint64_t unused)
{
    engine_start(RAM, STORE);
    char *memory = evicted_region();
    damage(9 * PAGE_SIZE + 1);
    engine_reached();
    (void)*(volatile char *)(memory + 9 * PAGE_SIZE);
    expect(false, "it was read");
}

/* A fault that reads ahead over a damaged page does not harm the pages around it. */
static void damage_nearby_is_not_noticed_before_it_is_touched(uint64_t unused)
{
    engine_keep_messages();
    engine_catch_faults();
    engine_start(RAM, STORE);
    char *memory = evicted_region();
    expect(uswap_advise(memory, RAM / 2, USWAP_SEQUENTIAL) == 0);
    damage(20 * PAGE_SIZE + 1);
    for (size_t page = 0; page < 64; page++) {
        if (page == 20)
            continue;
        expect(engine_probe(memory + page * PAGE_SIZE) == 0, "page %zu", page);
        engine_verify(memory + page * PAGE_SIZE, PAGE_SIZE, page * PAGE_SIZE + 1);
    }
    expect(engine_probe(memory + 20 * PAGE_SIZE) == SIGBUS);
}

static const struct engine_case cases[] = {
    {.name = "a_full_store_refuses", .run = a_full_store_refuses},
    {.name = "all_that_is_promised_can_be_used_4k",
     .run = all_that_is_promised_can_be_used,
     .parameter = 4 * KIB},
    {.name = "all_that_is_promised_can_be_used_64k",
     .run = all_that_is_promised_can_be_used,
     .parameter = 64 * KIB},
    {.name = "overcommit_loses_nothing", .run = overcommit_loses_nothing},
    {.name = "short_writes_are_resumed_4096", .run = short_writes_are_resumed, .parameter = 4096},
    {.name = "short_writes_are_resumed_512", .run = short_writes_are_resumed, .parameter = 512},
    {.name = "short_reads_are_resumed_4096", .run = short_reads_are_resumed, .parameter = 4096},
    {.name = "short_reads_are_resumed_512", .run = short_reads_are_resumed, .parameter = 512},
    {.name = "failed_writes_lose_nothing", .run = failed_writes_lose_nothing},
    {.name = "a_dead_store_loses_nothing", .run = a_dead_store_loses_nothing},
    {.name = "slow_writes_keep_the_budget", .run = slow_writes_keep_the_budget},
    {.name = "failed_reads_give_sigbus", .run = failed_reads_give_sigbus},
    {.name = "a_flipped_bit_gives_sigbus", .run = a_flipped_bit_gives_sigbus},
    {.name = "a_misplaced_page_gives_sigbus", .run = a_misplaced_page_gives_sigbus},
    {.name = "a_flipped_bit_ends_the_program",
     .run = a_flipped_bit_ends_the_program,
     .signal = SIGBUS},
    {.name = "damage_nearby_is_not_noticed",
     .run = damage_nearby_is_not_noticed_before_it_is_touched},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
