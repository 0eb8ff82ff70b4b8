/* SPDX-License-Identifier: MIT */
#include "print.h"

#include <stdio.h>

const char *const print_part_names[PART_COUNT] = {"lookup", "frame", "io",   "check",
                                                  "move",   "wake",  "evict"};

void print_json_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < ' ' || c > 126)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_number(const char *name, uint64_t value)
{
    printf(", \"%s\": %lu", name, (unsigned long)value);
}

/* What one process and several have. */
static void print_memory(const struct peer *peer)
{
    print_number("resident_bytes", peer_resident(peer));
    print_number("swapped_bytes", peer_swapped(peer));
    print_number("compressed_ram_bytes", peer_packed_memory(peer));
    print_number("compressed_bytes", peer_packed_content(peer));
}

static const char *const counter_names[STAT_COUNT] = {
    [STAT_FAULTS_MAJOR] = "faults_major",
    [STAT_FAULTS_PACKED] = "faults_compressed",
    [STAT_FAULTS_MINOR] = "faults_minor",
    [STAT_OBJECTS_EVICTED] = "objects_evicted",
    [STAT_OBJECTS_DROPPED_CLEAN] = "objects_dropped_clean",
    [STAT_OBJECTS_READ_AHEAD] = "objects_read_ahead",
    [STAT_READ_AHEAD_HITS] = "read_ahead_hits",
    [STAT_OBJECTS_POISONED] = "objects_poisoned",
    [STAT_BYTES_READ] = "bytes_read",
    [STAT_BYTES_WRITTEN] = "bytes_written",
    [STAT_PAGES_PACKED] = "pages_compressed",
    [STAT_PAGES_UNPACKED] = "pages_decompressed",
    [STAT_IO_ERRORS] = "io_errors",
    [STAT_SWAP_NS] = "swap_ns",
};

static const char *const histogram_names[HISTOGRAM_COUNT] = {"fault_major", "fault_minor", "read",
                                                             "write"};

static void print_counters(const struct peer *peer)
{
    for (unsigned i = 0; i < STAT_COUNT; i++)
        print_number(counter_names[i], status_sum(peer->now, i));
    printf(", \"per_second\": {");
    for (unsigned i = 0; i < STAT_COUNT; i++)
        printf("%s\"%s\": %lu", i ? ", " : "", counter_names[i],
               (unsigned long)(peer->before ? peer_rate(peer, i) : peer_own_rate(peer, i)));
    printf("}");
}

/* The buckets that count something: upper edge in ns, and how many. */
static void print_buckets(const struct histogram *times)
{
    const char *before = "";

    printf("\"buckets\": [");
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (!times->count[i])
            continue;
        printf("%s[%lu, %lu]", before, (unsigned long)histogram_upper_edge(i),
               (unsigned long)times->count[i]);
        before = ", ";
    }
    printf("]");
}

static void print_histogram(const char *name, const struct histogram *times)
{
    printf("\"%s\": {\"count\": %lu", name, (unsigned long)histogram_total(times));
    print_number("p50_ns", histogram_percentile(times, 50));
    print_number("p90_ns", histogram_percentile(times, 90));
    print_number("p99_ns", histogram_percentile(times, 99));
    print_number("max_ns", times->maximum);
    printf(", ");
    print_buckets(times);
    printf("}");
}

static void print_histograms(const struct peer *peer)
{
    printf(", \"latency\": {");
    for (unsigned i = 0; i < HISTOGRAM_COUNT; i++) {
        struct histogram times;

        peer_histogram(peer, i, &times);
        printf("%s", i ? ", " : "");
        print_histogram(histogram_names[i], &times);
    }
    printf("}");
}

static void print_region(const struct status_region *region)
{
    printf("{\"address\": \"%#lx\", \"name\": ", (unsigned long)region->address);
    print_json_string(region->name);
    print_number("size", region->size);
    print_number("object_size", region->object_size);
    print_number("reads", region->reads);
    print_number("evictions", region->evictions);
    printf("}");
}

static void print_regions(const struct peer *peer)
{
    const struct status_regions *regions = &peer->now->regions;

    printf(", \"regions\": [");
    for (uint32_t i = 0; i < regions->count && i < STATUS_REGIONS; i++) {
        printf("%s", i ? ", " : "");
        print_region(&regions->list[i]);
    }
    printf("]");
}

void print_json_peer(const struct peer *peer)
{
    const struct status_gauges *gauges = &peer->now->gauges;
    const struct status_second *second = &peer->now->second;

    printf("{\"pid\": %d, \"user\": ", (int)peer->pid);
    print_json_string(peer_user(peer));
    printf(", \"command\": ");
    print_json_string(peer->command);
    printf(", \"state\": \"%c\"", peer_state(peer) ? peer_state(peer) : '-');
    print_number("elapsed_ns", peer->now_ns - peer->now->started_ns);
    print_number("ram_budget_bytes", gauges->limit);
    printf(", \"budget_pool\": ");
    if (gauges->pool)
        print_json_string(peer_pool(peer));
    else
        printf("null");
    print_memory(peer);
    print_number("resident_peak_bytes", gauges->peak);
    print_number("demand_peak_bytes", max_u64(gauges->demand_peak, gauges->peak));
    print_number("metadata_bytes", (uint64_t)gauges->metadata);
    print_number("pinned_bytes", gauges->pinned * PAGE_SIZE);
    print_number("window_bytes", gauges->window);
    print_number("committed_bytes", second->committed);
    print_number("store_capacity_bytes", second->store_capacity);
    print_number("store_used_bytes", second->store_used);
    print_counters(peer);
    print_histograms(peer);
    print_regions(peer);
    printf("}");
}

void print_json_sum(const struct peer *sum, const char *pool, unsigned processes)
{
    printf("{\"pool\": ");
    print_json_string(pool);
    print_number("processes", processes);
    print_memory(sum);
    print_counters(sum);
    print_histograms(sum);
    printf("}");
}

/* ---- Parts ---- */

/* What was timed between the two copies, or all of it. */
static void part_of(const struct peer *peer, enum status_part part, uint64_t *sum,
                    struct histogram *times)
{
    *sum = peer->now->parts.sum[part];
    *times = peer->now->parts.times[part];
    if (!peer->before)
        return;
    *sum -= peer->before->parts.sum[part];
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        times->count[i] -= peer->before->parts.times[part].count[i];
}

static double per_count(uint64_t sum, uint64_t count)
{
    return count ? (double)sum / (double)count : 0;
}

static uint64_t sum_of_parts(const struct peer *peer)
{
    struct histogram times;
    uint64_t sum, all = 0;

    for (unsigned i = 0; i < PART_COUNT; i++) {
        part_of(peer, i, &sum, &times);
        all += sum;
    }
    return all;
}

void print_parts(const struct peer *peer)
{
    uint64_t all = sum_of_parts(peer);

    printf("%-8s %10s %6s %10s %10s %10s\n", "PART", "COUNT", "SHARE", "MEAN us", "p50 us",
           "p99 us");
    for (unsigned i = 0; i < PART_COUNT; i++) {
        struct histogram times;
        uint64_t sum;

        part_of(peer, i, &sum, &times);
        printf("%-8s %10lu %5.1f%% %10.2f %10.2f %10.2f\n", print_part_names[i],
               (unsigned long)histogram_total(&times), 100 * per_count(sum, all),
               per_count(sum, histogram_total(&times)) / 1e3,
               (double)histogram_percentile(&times, 50) / 1e3,
               (double)histogram_percentile(&times, 99) / 1e3);
    }
}

void print_json_parts(const struct peer *peer)
{
    printf("{\"pid\": %d, \"parts\": {", (int)peer->pid);
    for (unsigned i = 0; i < PART_COUNT; i++) {
        struct histogram times;
        uint64_t sum;

        part_of(peer, i, &sum, &times);
        printf("%s\"%s\": {\"count\": %lu", i ? ", " : "", print_part_names[i],
               (unsigned long)histogram_total(&times));
        print_number("sum_ns", sum);
        print_number("p50_ns", histogram_percentile(&times, 50));
        print_number("p99_ns", histogram_percentile(&times, 99));
        printf("}");
    }
    printf("}}\n");
}
