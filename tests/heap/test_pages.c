/* SPDX-License-Identifier: MIT */
/* Large blocks begin at a page: what a program keeps in them page by page costs a fault each. */
#include "heap_test.h"

#include <string.h>

#define PAGE  ((size_t)4096)
#define SET   ((size_t)64 << 20)
#define READS 2000

static void check_begins(void)
{
    for (size_t size = 4 * PAGE; size <= SET / 4; size *= 2) {
        char *blocks[] = {malloc(size), malloc(size - 1000), calloc(3, size / 3),
                          realloc(malloc(100), size + 1)};

        for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
            CHECK(blocks[i] && (uintptr_t)blocks[i] % PAGE == 0);
            free(blocks[i]);
        }
    }
}

static void check_faults(void)
{
    unsigned char *set = malloc(SET);
    uint64_t number = 1;

    CHECK(set);
    for (size_t at = 0; at < SET; at += PAGE)
        memset(set + at, (int)(at / PAGE % 251), PAGE);
    struct uswap_stats before = stats_now();
    for (int i = 0; i < READS; i++) {
        number = number * 6364136223846793005u + 1442695040888963407u;
        size_t page = (number >> 33) % (SET / PAGE);
        for (size_t k = 0; k < PAGE; k += 15)
            CHECK(set[page * PAGE + k] == page % 251);
    }
    struct uswap_stats after = stats_now();
    CHECK(after.faults_major > before.faults_major + READS / 2);
    CHECK(after.faults_major <= before.faults_major + READS);
    free(set);
}

int main(void)
{
    check_begins();
    check_faults();
    return 0;
}
