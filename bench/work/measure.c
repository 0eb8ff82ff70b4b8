/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct measure *measure_make(unsigned count)
{
    /* Not from malloc, which is what is measured. */
    void *memory = mmap(NULL, count * sizeof(struct measure), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (memory == MAP_FAILED)
        die("no memory for what is measured");
    return memory;
}

void measure_free(struct measure *measures, unsigned count)
{
    munmap(measures, count * sizeof(*measures));
}

void measure_add(struct measure *measure, uint64_t start, uint64_t end)
{
    uint64_t interval = (end - measure->begin_ns) / INTERVAL_NS;

    if (interval < INTERVALS_MAX)
        measure->intervals[interval]++;
    if (start < measure->measure_ns)
        return;
    if (measure->ops++ == 0)
        measure->first_ns = start;
    measure->last_ns = end;
    histogram_add(&measure->latency, end - start);
}

static void measure_merge(struct measure *into, const struct measure *from)
{
    if (!from->ops)
        return;
    into->first_ns = into->ops ? min_u64(into->first_ns, from->first_ns) : from->first_ns;
    into->last_ns = max_u64(into->last_ns, from->last_ns);
    into->ops += from->ops;
    histogram_merge(&into->latency, &from->latency);
    for (unsigned i = 0; i < INTERVALS_MAX; i++)
        into->intervals[i] += from->intervals[i];
}

static pid_t measured; /* 0: this process */

void measure_of_process(pid_t pid)
{
    measured = pid;
}

static uint64_t peak_rss(void)
{
    char line[256];
    uint64_t kib = 0;
    FILE *status;

    snprintf(line, sizeof(line), "/proc/%d/status", measured ? measured : getpid());
    status = fopen(line, "r");
    while (status && fgets(line, sizeof(line), status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return kib * KIB;
}

static void print_latency(const struct histogram *latency)
{
    const char *before = "";

    printf(",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64 ",\"p999_ns\":%" PRIu64
           ",\"max_ns\":%" PRIu64 ",\"latency\":[",
           histogram_percentile(latency, 50), histogram_percentile(latency, 99),
           histogram_percentile(latency, 99.9), latency->maximum);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (latency->count[i]) {
            printf("%s[%" PRIu64 ",%" PRIu64 "]", before, histogram_upper_edge(i),
                   latency->count[i]);
            before = ",";
        }
    printf("]");
}

static void print_intervals(const uint32_t *intervals)
{
    unsigned count = INTERVALS_MAX;

    while (count && !intervals[count - 1])
        count--;
    printf(",\"interval_ns\":%d,\"intervals\":[", INTERVAL_NS);
    for (unsigned i = 0; i < count; i++)
        printf("%s%" PRIu32, i ? "," : "", intervals[i]);
    printf("]");
}

void measure_print(const char *name, struct measure *measures, unsigned count, uint64_t bytes)
{
    struct measure *all = &measures[0];

    for (unsigned i = 1; i < count; i++)
        measure_merge(all, &measures[i]);
    printf("{\"case\":\"%s\",\"ops\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"ns\":%" PRIu64, name,
           all->ops, all->ops * bytes, all->ops ? all->last_ns - all->first_ns : 0);
    print_latency(&all->latency);
    print_intervals(all->intervals);
    printf(",\"rss_peak_bytes\":%" PRIu64 "}\n", peak_rss());
    fflush(stdout);
}

void measure_print_run(const char *name, uint64_t ns, uint64_t bytes, uint64_t check)
{
    printf("{\"case\":\"%s\",\"ops\":1,\"bytes\":%" PRIu64 ",\"ns\":%" PRIu64
           ",\"check\":\"%016" PRIx64 "\",\"rss_peak_bytes\":%" PRIu64 "}\n",
           name, bytes, ns, check, peak_rss());
    fflush(stdout);
}

_Noreturn void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}
