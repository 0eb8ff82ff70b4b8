/* SPDX-License-Identifier: MIT */
/*
 * turns MIB COUNT MASK: bench/seeing_cost runs it several times beside each other. For
 * each line on standard input it reads COUNT words of its MIB of memory at random, and says how
 * many nanoseconds one took. Its words are random numbers and MASK: a small one makes them
 * compressible.
 */
#include "base/base.h"
#include "base/clock.h"
#include "work/random.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_WORDS (PAGE_SIZE / sizeof(uint64_t))

int main(int argc, char **argv)
{
    size_t pages = argc > 3 ? strtoul(argv[1], NULL, 10) * MIB / PAGE_SIZE : 0;
    unsigned long count = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
    uint64_t mask = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
    volatile uint64_t(*memory)[PAGE_WORDS] = malloc(pages * PAGE_SIZE);
    uint64_t seed = 1;
    char line[16];

    if (!pages || !count || !memory)
        return 2;
    for (size_t i = 0; i < pages; i++)
        for (size_t k = 0; k < PAGE_WORDS; k++)
            memory[i][k] = random_next(&seed) & mask;
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        uint64_t start = clock_now_ns();
        for (unsigned long i = 0; i < count; i++)
            (void)memory[random_next(&seed) % pages][0];
        printf("%.1f\n", (double)(clock_now_ns() - start) / (double)count);
        fflush(stdout);
    }
    return 0;
}
