/* SPDX-License-Identifier: MIT */
/*
 * share MIB SECONDS PATTERN [FILE]: a member of a pool at work. Fills MIB of malloc'ed memory, each
 * page with words that only it can hold, then for so many seconds
 *
 *     random    reads and rewrites random pages
 *     scan      reads and rewrites page after page
 *     hold      does nothing
 *
 * and checks every page it touches, and all at the end. Prints "peak KIB" (its VmHWM) and "rounds
 * N", the pages touched. To FILE it writes every tenth of a second the time, the pages touched and
 * those that had to come back from a store or from compressed RAM so far.
 */
#include <uswap/uswap.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul

static char *set;
static uint8_t *versions;
static size_t pages;
static uint64_t self; /* makes the words of each process its own */

static uint64_t word(size_t page, uint8_t version, size_t i)
{
    uint64_t x = (self << 40 ^ page << 9 ^ version) * 0x9e3779b97f4a7c15 + i;

    return x ^ x >> 29;
}

static void fill(size_t page)
{
    uint64_t *words = (uint64_t *)(void *)(set + page * PAGE);

    for (size_t i = 0; i < PAGE / sizeof(*words); i += 16)
        words[i] = word(page, versions[page], i);
}

static void check(size_t page)
{
    const uint64_t *words = (const uint64_t *)(const void *)(set + page * PAGE);

    for (size_t i = 0; i < PAGE / sizeof(*words); i += 16)
        if (words[i] != word(page, versions[page], i)) {
            printf("page %zu is wrong\n", page);
            exit(1);
        }
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static size_t choose(const char *pattern, uint64_t round)
{
    static uint64_t state = 88172645463325252;

    if (strcmp(pattern, "scan") == 0)
        return round % pages;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % pages;
}

/* Under uswap there are some. */
int uswap_get_stats(struct uswap_stats *stats, size_t size) __attribute__((weak));

static uint64_t pages_missed(void)
{
    struct uswap_stats stats = {0};

    if (uswap_get_stats)
        uswap_get_stats(&stats, sizeof(stats));
    return stats.faults_major;
}

static void touch_some(const char *pattern, uint64_t *rounds)
{
    if (strcmp(pattern, "hold") == 0) {
        usleep(10000);
        return;
    }
    for (int i = 0; i < 64; i++, ++*rounds) {
        size_t page = choose(pattern, *rounds);
        check(page);
        versions[page]++;
        fill(page);
    }
}

static uint64_t work(const char *pattern, double seconds, FILE *log)
{
    double start = now(), next = start;
    uint64_t rounds = 0;

    while (now() - start < seconds) {
        touch_some(pattern, &rounds);
        if (log && now() >= next) {
            fprintf(log, "%.2f %lu %lu\n", now(), (unsigned long)rounds,
                    (unsigned long)pages_missed());
            fflush(log);
            next += 0.1;
        }
    }
    return rounds;
}

static void print_peak(void)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");

    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            printf("peak %ld\n", strtol(line + 6, NULL, 10));
    if (status)
        fclose(status);
}

int main(int argc, char **argv)
{
    FILE *log = argc > 4 ? fopen(argv[4], "w") : NULL;

    if (argc < 4)
        return 2;
    self = (uint64_t)getpid();
    pages = strtoul(argv[1], NULL, 10) * 1024 * 1024 / PAGE;
    set = malloc(pages * PAGE);
    versions = calloc(pages, 1);
    if (!set || !versions) {
        printf("no memory\n");
        return 3;
    }
    if (log)
        fprintf(log, "%.2f 0 0\n", now());
    for (size_t page = 0; page < pages; page++)
        fill(page);
    printf("rounds %lu\n", (unsigned long)work(argv[3], strtod(argv[2], NULL), log));
    for (size_t page = 0; page < pages; page++)
        check(page);
    print_peak();
    return 0;
}
