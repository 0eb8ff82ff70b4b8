/* SPDX-License-Identifier: MIT */
/* For test programs that run with the preload library, or without it. */
#ifndef USWAP_TESTS_HEAP_TEST_H
#define USWAP_TESTS_HEAP_TEST_H

#include "uswap/uswap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* End the program with a message when a condition does not hold. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fflush(stdout);                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            _Exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* Of the preload library. */
__attribute__((weak)) int uswap_get_stats(struct uswap_stats *stats, size_t size);

static inline bool preloaded(void)
{
    return uswap_get_stats != NULL;
}

static inline struct uswap_stats stats_now(void)
{
    struct uswap_stats stats;

    CHECK(preloaded());
    CHECK(uswap_get_stats(&stats, sizeof(stats)) == 0);
    return stats;
}

/* Whether a page is where the program can touch it without a fault. As the kernel sees it: what
 * mincore() says is uswap's answer. */
static inline bool page_present(const void *page)
{
    uint64_t entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);

    CHECK(fd >= 0);
    CHECK(pread(fd, &entry, 8, (off_t)((uintptr_t)page / 4096 * 8)) == 8);
    close(fd);
    return entry >> 63;
}

/* Wait for a child, which ends well. */
static inline void check_child(pid_t child)
{
    int status;
    pid_t ended;

    CHECK(child > 0);
    while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR)
        continue;
    if (status)
        printf("status %#x of %d\n", (unsigned)status, child);
    CHECK(ended == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The run was worth something: memory went out to a store, and the budget was kept. */
static inline void check_swapped(void)
{
    struct uswap_stats stats = stats_now();

    printf("budget %llu resident peak %llu metadata %llu evicted %llu written %llu read %llu\n",
           (unsigned long long)stats.ram_budget_bytes,
           (unsigned long long)stats.resident_peak_bytes, (unsigned long long)stats.metadata_bytes,
           (unsigned long long)stats.objects_evicted, (unsigned long long)stats.bytes_written,
           (unsigned long long)stats.bytes_read);
    CHECK(stats.objects_evicted > 0);
    CHECK(stats.bytes_written + stats.bytes_compressed > 0);
    CHECK(stats.faults_major > 0);
    CHECK(stats.resident_peak_bytes <= stats.ram_budget_bytes);
}

#endif
