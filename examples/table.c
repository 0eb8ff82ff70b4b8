/* SPDX-License-Identifier: MIT */
/*
 * A table four times larger than the budget: fill it, sum it up, and see what that took.
 *
 *     gcc -o table table.c $(pkg-config --cflags --libs uswap) && ./table
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uswap/uswap.h>

#define BUDGET  ((uint64_t)32 << 20)
#define ENTRIES (4 * BUDGET / sizeof(uint64_t))

static uint64_t *make_table(void)
{
    struct uswap_map_options options = {.object_size = 16384, .name = "table"};
    void *table;

    return uswap_map(ENTRIES * sizeof(uint64_t), &options, &table) ? NULL : table;
}

static void print_stats(void)
{
    struct uswap_stats stats;

    uswap_get_stats(&stats, sizeof(stats));
    printf("resident at most %" PRIu64 " of %" PRIu64 " MiB\n", stats.resident_peak_bytes >> 20,
           stats.window_bytes >> 20);
    printf("%" PRIu64 " objects left, %" PRIu64 " faults read them back\n", stats.objects_evicted,
           stats.faults_major);
}

int main(void)
{
    struct uswap_options options;
    uint64_t *table, sum = 0;

    /* USWAP_SWAP and USWAP_STATS are the user's to choose. A message says what is wrong. */
    if (uswap_options_from_env(&options))
        return EXIT_FAILURE;
    options.ram = BUDGET;
    if (uswap_start(&options))
        return EXIT_FAILURE;

    table = make_table();
    if (!table) {
        fputs("budget and swap cannot hold the table\n", stderr);
        return EXIT_FAILURE;
    }
    uswap_advise(table, ENTRIES * sizeof(uint64_t), USWAP_SEQUENTIAL);
    for (uint64_t i = 0; i < ENTRIES; i++)
        table[i] = i;
    for (uint64_t i = 0; i < ENTRIES; i++)
        sum += table[i];
    print_stats();
    uswap_unmap(table, ENTRIES * sizeof(uint64_t));
    return sum == ENTRIES * (ENTRIES - 1) / 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}
