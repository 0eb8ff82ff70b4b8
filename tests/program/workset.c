/* SPDX-License-Identifier: MIT */
/*
 * workset MIB [LINGER|busy]: a program that knows nothing of uswap. It fills so many MiB of
 * malloc'ed blocks, reads all of it in order, then reads and changes words at random places, and
 * checks every word it reads. Prints "ready" and its peak resident size in KiB at the end; with
 * LINGER, sleeps afterwards until it is killed; with busy, goes on touching words instead.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_WORDS  ((size_t)24 << 10) /* 192 KiB: not a power of two */
#define RANDOM_TOUCH 50000

static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 31)) * 0x7fb5d329728ea185;
    return value ^ (value >> 27);
}

struct set {
    uint64_t **blocks;
    size_t count;
};

static int fill(struct set *set, size_t bytes)
{
    set->count = bytes / sizeof(uint64_t) / BLOCK_WORDS;
    set->blocks = malloc(set->count * sizeof(*set->blocks));
    if (!set->blocks)
        return -1;
    for (size_t b = 0; b < set->count; b++) {
        set->blocks[b] = malloc(BLOCK_WORDS * sizeof(uint64_t));
        if (!set->blocks[b])
            return -1;
        for (size_t w = 0; w < BLOCK_WORDS; w++)
            set->blocks[b][w] = mix(b * BLOCK_WORDS + w);
    }
    return 0;
}

static size_t wrong_in_order(const struct set *set)
{
    size_t wrong = 0;

    for (size_t b = 0; b < set->count; b++)
        for (size_t w = 0; w < BLOCK_WORDS; w++)
            wrong += set->blocks[b][w] != mix(b * BLOCK_WORDS + w);
    return wrong;
}

/* Each touch turns a word into its complement or back; bit 0 of the first word counts nothing. */
static size_t wrong_at_random(struct set *set)
{
    size_t wrong = 0;
    uint64_t seed = 1;

    for (size_t i = 0; i < RANDOM_TOUCH; i++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        size_t b = (size_t)(seed >> 33) % set->count;
        size_t w = (size_t)(seed >> 13) % BLOCK_WORDS;
        uint64_t expected = mix(b * BLOCK_WORDS + w), *word = &set->blocks[b][w];
        wrong += *word != expected && *word != ~expected;
        *word = ~*word;
    }
    return wrong;
}

static void print_peak(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");

    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            printf("peak %ld\n", atol(line + 6));
    if (status)
        fclose(status);
}

int main(int argc, char **argv)
{
    struct set set;
    size_t wrong;

    if (argc < 2 || fill(&set, (size_t)atol(argv[1]) << 20)) {
        fputs("workset: no size or no memory\n", stderr);
        return 1;
    }
    wrong = wrong_in_order(&set) + wrong_at_random(&set);
    print_peak();
    printf("ready %zu wrong\n", wrong);
    fflush(stdout);
    while (argc > 2 && strcmp(argv[2], "busy") == 0 && !wrong)
        wrong = wrong_at_random(&set);
    while (argc > 2 && !wrong)
        pause();
    return wrong != 0;
}
