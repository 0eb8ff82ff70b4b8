/* SPDX-License-Identifier: MIT */
/* Pinned memory stays resident, so that system calls may use it; what is not pinned gives EFAULT.
 */
#include "engine_test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RAM   (16 * MIB)
#define STORE (128 * MIB)
#define SIZE  (2 * MIB)
#define PAGES (SIZE / PAGE_SIZE)

static int open_file(void)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/file", engine_directory());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    expect(fd >= 0 && unlink(path) == 0);
    return fd;
}

static char *filled(size_t object_size)
{
    char *memory = engine_map(SIZE, object_size);

    engine_fill(memory, SIZE, 1);
    return memory;
}

static void pinned_memory_stays(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *memory = filled(object_size);
    engine_evict_all();
    expect(uswap_pin(memory, SIZE) == 0);
    expect(engine_resident(memory, SIZE) == PAGES);
    expect(engine_stats().pinned_bytes >= SIZE);
    engine_evict_all();
    expect(engine_resident(memory, SIZE) == PAGES);
    engine_verify(memory, SIZE, 1);
    uswap_unpin(memory, SIZE);
    expect(engine_stats().pinned_bytes == 0);
    engine_evict_all();
    expect(engine_resident(memory, SIZE) < PAGES);
    engine_verify(memory, SIZE, 1);
}

static void pins_add_up(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *memory = filled(object_size);
    expect(uswap_pin(memory, SIZE) == 0);
    expect(uswap_pin(memory + SIZE / 4, SIZE / 4) == 0);
    uswap_unpin(memory, SIZE);
    engine_evict_all();
    expect(engine_resident(memory + SIZE / 4, SIZE / 4) == PAGES / 4);
    expect(engine_resident(memory, SIZE) < PAGES);
    uswap_unpin(memory + SIZE / 4, SIZE / 4);
    engine_evict_all();
    expect(engine_resident(memory + SIZE / 4, SIZE / 4) < PAGES / 4);
    engine_verify(memory, SIZE, 1);
}

/* Odd addresses and sizes pin every page they touch. */
static void a_pin_covers_its_bytes(uint64_t object_size)
{
    engine_start(RAM, STORE);
    char *memory = filled(object_size);
    engine_evict_all();
    char *first = memory + 5 * PAGE_SIZE;
    expect(uswap_pin(first + PAGE_SIZE - 1, PAGE_SIZE + 2) == 0);
    expect(uswap_pin(first, 0) == 0);
    engine_evict_all();
    expect(engine_resident(first, 3 * PAGE_SIZE) == 3);
    uswap_unpin(first, 0);
    uswap_unpin(first + PAGE_SIZE - 1, PAGE_SIZE + 2);
    engine_evict_all();
    expect(engine_resident(memory, SIZE) < PAGES);
}

static void system_calls_work_on_pinned_memory(uint64_t object_size)
{
    static char copy[SIZE];

    engine_start(RAM, STORE);
    int fd = open_file();
    char *memory = filled(object_size);
    engine_evict_all();
    expect(uswap_pin(memory, SIZE) == 0);
    expect(pwrite(fd, memory, SIZE, 0) == (ssize_t)SIZE);
    uswap_unpin(memory, SIZE);
    expect(pread(fd, copy, SIZE, 0) == (ssize_t)SIZE);
    engine_verify(copy, SIZE, 1);

    engine_fill(copy, SIZE, 2);
    expect(pwrite(fd, copy, SIZE, 0) == (ssize_t)SIZE);
    engine_evict_all();
    expect(uswap_pin(memory, SIZE) == 0);
    expect(pread(fd, memory, SIZE, 0) == (ssize_t)SIZE);
    uswap_unpin(memory, SIZE);
    engine_verify(memory, SIZE, 2);
    engine_evict_all();
    engine_verify(memory, SIZE, 2);
}

/* What the kernel writes into a pinned page that was clean is content like any other. */
static void what_the_kernel_writes_is_kept(uint64_t unused)
{
    static const char text[] = "written by the kernel";

    engine_start(RAM, STORE);
    int fd = open_file();
    expect(write(fd, text, sizeof(text)) == (ssize_t)sizeof(text));
    char *memory = filled(4 * KIB);
    for (size_t page = 0; page < PAGES; page++) {
        char *at = memory + page * PAGE_SIZE + 100;
        if (page % 64 == 0)
            engine_evict_all();
        expect(uswap_pin(at, sizeof(text)) == 0);
        expect(pread(fd, at, sizeof(text), 0) == (ssize_t)sizeof(text));
        uswap_unpin(at, sizeof(text));
    }
    engine_evict_all();
    for (size_t page = 0; page < PAGES; page++)
        expect(memcmp(memory + page * PAGE_SIZE + 100, text, sizeof(text)) == 0, "page %zu", page);
}

static void memory_that_is_away_gives_efault(uint64_t unused)
{
    engine_start(RAM, STORE);
    int fd = open_file();
    char *memory = filled(4 * KIB);
    engine_evict_all();
    expect(engine_resident(memory, PAGE_SIZE) == 0);
    expect(write(fd, memory, PAGE_SIZE) == -1 && errno == EFAULT);
    expect(pread(fd, memory, PAGE_SIZE, 0) == 0, "the file is still empty");
    engine_verify(memory, SIZE, 1);
    engine_evict_all();
    engine_verify(memory, SIZE, 1);
}

static void what_cannot_be_pinned(uint64_t unused)
{
    char local[64];

    engine_start(RAM, STORE);
    expect(uswap_pin(local, sizeof(local)) == 0, "outside the window there is nothing to do");
    uswap_unpin(local, sizeof(local));
    char *memory = engine_map(RAM, 4 * KIB);
    engine_fill(memory, RAM, 1);
    expect(uswap_pin(memory, RAM * 3 / 4) == -ENOMEM);
    expect(engine_stats().pinned_bytes == 0, "a pin that failed leaves nothing pinned");
    expect(uswap_pin(memory, SIZE) == 0);
    expect(uswap_unmap(memory + RAM - SIZE, SIZE) == 0);
    expect(uswap_pin(memory + RAM - 2 * SIZE, 2 * SIZE) == -EFAULT);
    uswap_unpin(memory, SIZE);
    expect(engine_stats().pinned_bytes == 0);
    engine_verify(memory, RAM - SIZE, 1);
}

static void the_budget_holds_what_is_pinned(uint64_t unused)
{
    engine_start(4 * RAM, STORE);
    char *memory = engine_map(12 * MIB, 4 * KIB);
    engine_fill(memory, 12 * MIB, 1);
    expect(uswap_pin(memory, 12 * MIB) == 0);
    expect(uswap_set_budget(8 * MIB) == -EINVAL);
    expect(engine_stats().ram_budget_bytes == 4 * RAM);
    uswap_unpin(memory, 12 * MIB);
    expect(uswap_set_budget(8 * MIB) == 0);
    engine_verify(memory, 12 * MIB, 1);
}

struct shared {
    char *memory;
    int fd;
};

/* Each thread pins pages that others use and evict, and hands them to the kernel. */
static void pin_thread(void *argument, unsigned thread)
{
    struct shared *shared = argument;
    uint64_t random = engine_seed() + thread;
    const uint64_t pages = 64 * MIB / PAGE_SIZE;
    char copy[4 * PAGE_SIZE];

    for (unsigned step = 0; step < 1500; step++) {
        uint64_t page = engine_below(&random, pages - 4);
        char *at = shared->memory + page * PAGE_SIZE;
        size_t size = (1 + engine_below(&random, 4)) * PAGE_SIZE;
        expect(uswap_pin(at, size) == 0);
        expect(pwrite(shared->fd, at, size, thread * (off_t)sizeof(copy)) == (ssize_t)size);
        uswap_unpin(at, size);
        expect(pread(shared->fd, copy, size, thread * (off_t)sizeof(copy)) == (ssize_t)size);
        for (size_t i = 0; i < size / PAGE_SIZE; i++)
            engine_verify(copy + i * PAGE_SIZE, PAGE_SIZE, page + i + 1);
    }
}

static void pinning_under_load(uint64_t object_size)
{
    struct shared shared;

    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    shared.fd = open_file();
    shared.memory = engine_map(64 * MIB, object_size);
    for (uint64_t page = 0; page < 64 * MIB / PAGE_SIZE; page++)
        engine_fill(shared.memory + page * PAGE_SIZE, PAGE_SIZE, page + 1);
    engine_threads(8, pin_thread, &shared);
    expect(engine_stats().pinned_bytes == 0);
    engine_expect_swapping(&before);
}

static const struct engine_case cases[] = {
    {.name = "pinned_memory_stays_4k", .run = pinned_memory_stays, .parameter = 4 * KIB},
    {.name = "pinned_memory_stays_64k", .run = pinned_memory_stays, .parameter = 64 * KIB},
    {.name = "pins_add_up_4k", .run = pins_add_up, .parameter = 4 * KIB},
    {.name = "pins_add_up_64k", .run = pins_add_up, .parameter = 64 * KIB},
    {.name = "a_pin_covers_its_bytes", .run = a_pin_covers_its_bytes, .parameter = 4 * KIB},
    {.name = "system_calls_work_4k",
     .run = system_calls_work_on_pinned_memory,
     .parameter = 4 * KIB},
    {.name = "system_calls_work_64k",
     .run = system_calls_work_on_pinned_memory,
     .parameter = 64 * KIB},
    {.name = "what_the_kernel_writes_is_kept", .run = what_the_kernel_writes_is_kept},
    {.name = "memory_that_is_away_gives_efault", .run = memory_that_is_away_gives_efault},
    {.name = "what_cannot_be_pinned", .run = what_cannot_be_pinned},
    {.name = "the_budget_holds_what_is_pinned", .run = the_budget_holds_what_is_pinned},
    {.name = "pinning_under_load_4k", .run = pinning_under_load, .parameter = 4 * KIB},
    {.name = "pinning_under_load_64k", .run = pinning_under_load, .parameter = 64 * KIB},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
