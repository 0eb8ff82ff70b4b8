/* SPDX-License-Identifier: MIT */
/*
 * profile_scale [DIRECTORY]: does an access cost the same whatever the size of the window, the
 * number of regions and the number of threads? 256 MiB of random content under a budget of 64 MiB,
 * spread over a region of up to a TiB, or over up to 10,000 regions, or used by up to 64 threads;
 * then a second of words read at random. Wall time has the disk in it, processor time has not.
 */
#include "base/base.h"
#include "base/clock.h"
#include "work/random.h"

#include "uswap/uswap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SET     (256 * MIB)
#define RAM     (64 * MIB)
#define PAGES   (SET / PAGE_SIZE)
#define PIECE   (2 * MIB) /* of the set, that stays together in one region */
#define SECONDS 1
#define MOST    64

struct setting {
    const char *name;
    uint64_t window; /* of one region */
    unsigned regions, threads;
};

static char **pages; /* where each page of the set is */
static _Atomic bool stop;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static char *map(uint64_t size)
{
    const struct uswap_map_options options = {.flags = USWAP_MAP_OVERCOMMIT};
    void *address;

    if (uswap_map(size, &options, &address))
        die("uswap_map");
    return address;
}

static void place_in_one(uint64_t window)
{
    char *region = map(window);
    uint64_t distance = window / (SET / PIECE);

    for (uint64_t i = 0; i < PAGES; i++)
        pages[i] =
            region + i / (PIECE / PAGE_SIZE) * distance + i % (PIECE / PAGE_SIZE) * PAGE_SIZE;
}

static void place_in_many(unsigned count)
{
    uint64_t each = (PAGES + count - 1) / count;

    for (uint64_t i = 0; i < PAGES; i++)
        pages[i] = i % each ? pages[i - 1] + PAGE_SIZE : map(each * PAGE_SIZE);
}

static void fill(void)
{
    uint64_t seed = 1;

    for (uint64_t i = 0; i < PAGES; i++)
        for (size_t k = 0; k < PAGE_SIZE / sizeof(seed); k++)
            ((uint64_t *)(void *)pages[i])[k] = random_next(&seed);
}

static void *read_at_random(void *number)
{
    uint64_t seed = (uintptr_t)number + 1, count = 0;

    for (; !atomic_load_explicit(&stop, memory_order_relaxed); count++)
        (void)*(volatile char *)pages[random_next(&seed) % PAGES];
    return (void *)(uintptr_t)count;
}

static uint64_t processor_ns(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static void measure(const struct setting *setting)
{
    uint64_t wall, processor, count = 0;
    pthread_t threads[MOST];
    struct uswap_stats stats;
    void *read;

    wall = clock_now_ns();
    processor = processor_ns();
    for (unsigned i = 0; i < setting->threads; i++)
        if (pthread_create(&threads[i], NULL, read_at_random, (void *)(uintptr_t)i))
            die("pthread_create");
    sleep(SECONDS);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < setting->threads; i++) {
        pthread_join(threads[i], &read);
        count += (uintptr_t)read;
    }
    wall = clock_now_ns() - wall;
    processor = processor_ns() - processor;
    if (uswap_get_stats(&stats, sizeof(stats)))
        die("uswap_get_stats");
    printf("| %s | %.0f | %.1f | %.1f | %.1f |\n", setting->name,
           (double)count * 1e9 / (double)wall, (double)wall / 1e3 / (double)count,
           (double)processor / 1e3 / (double)count, (double)stats.metadata_bytes / MIB);
}

static void run(const struct setting *setting, const char *directory)
{
    struct uswap_options options;

    uswap_options_init(&options);
    options.ram = RAM;
    options.compress = USWAP_COMPRESS_OFF;
    options.stores[0].path = directory;
    options.stores[0].size = 2 * SET;
    options.stores_count = 1;
    pages = malloc(PAGES * sizeof(*pages));
    if (!pages || uswap_start(&options))
        die("start");
    if (setting->regions == 1)
        place_in_one(setting->window);
    else
        place_in_many(setting->regions);
    fill();
    measure(setting);
}

int main(int argc, char **argv)
{
    static const struct setting settings[] = {
        {"1 region of 256 MiB, 1 thread", SET, 1, 1},
        {"of 16 GiB", 16 * GIB, 1, 1},
        {"of 1 TiB", TIB, 1, 1},
        {"100 regions", 0, 100, 1},
        {"10,000 regions", 0, 10000, 1},
        {"1 region, 8 threads", SET, 1, 8},
        {"64 threads", SET, 1, MOST},
    };

    puts("| | accesses a second | us of each | us of processor time | MiB of metadata |\n"
         "|---|---|---|---|---|");
    for (unsigned i = 0; i < array_size(settings); i++) {
        int status;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            run(&settings[i], argc > 1 ? argv[1] : "/var/tmp");
            exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            die(settings[i].name);
    }
    return 0;
}
