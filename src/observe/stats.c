/* SPDX-License-Identifier: MIT */
#include "observe/stats.h"

#include "base/clock.h"
#include "base/fmt.h"
#include "base/size.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

static uint64_t sum(enum stats_counter counter)
{
    return status_sum(&status_page, counter);
}

static void fill_percentiles(struct uswap_stats *stats)
{
    struct histogram all = {0};

    status_merge(&status_page, HISTOGRAM_MAJOR, &all);
    status_merge(&status_page, HISTOGRAM_MINOR, &all);
    stats->fault_ns_p50 = histogram_percentile(&all, 50);
    stats->fault_ns_p99 = histogram_percentile(&all, 99);
    stats->fault_ns_max = all.maximum;
}

void stats_fill(struct uswap_stats *stats)
{
    stats->faults_major = sum(STAT_FAULTS_MAJOR);
    stats->faults_compressed = sum(STAT_FAULTS_PACKED);
    stats->faults_minor = sum(STAT_FAULTS_MINOR);
    stats->objects_evicted = sum(STAT_OBJECTS_EVICTED);
    stats->objects_dropped_clean = sum(STAT_OBJECTS_DROPPED_CLEAN);
    stats->objects_read_ahead = sum(STAT_OBJECTS_READ_AHEAD);
    stats->objects_poisoned = sum(STAT_OBJECTS_POISONED);
    stats->pinned_bytes = stats_pinned_pages() * PAGE_SIZE;
    stats->bytes_read = sum(STAT_BYTES_READ);
    stats->bytes_written = sum(STAT_BYTES_WRITTEN);
    stats->bytes_compressed = sum(STAT_PAGES_PACKED) * PAGE_SIZE;
    stats->bytes_decompressed = sum(STAT_PAGES_UNPACKED) * PAGE_SIZE;
    stats->io_errors = sum(STAT_IO_ERRORS);
    stats->swap_ns = sum(STAT_SWAP_NS);
    stats->elapsed_ns = clock_now_ns() - status_page.started_ns;
    fill_percentiles(stats);
}

struct text {
    char data[4096];
    size_t length;
};

static void append(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text->length +=
        fmt_vwrite(text->data + text->length, sizeof(text->data) - text->length, format, args);
    va_end(args);
}

/* Every field of the public statistics, in its order. */
static const struct field {
    const char *name;
    size_t offset;
} fields[] = {
#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct uswap_stats, name)                                                  \
    }
    FIELD(ram_budget_bytes),
    FIELD(resident_bytes),
    FIELD(resident_peak_bytes),
    FIELD(metadata_bytes),
    FIELD(pinned_bytes),
    FIELD(window_bytes),
    FIELD(committed_bytes),
    FIELD(store_capacity_bytes),
    FIELD(store_used_bytes),
    FIELD(faults_major),
    FIELD(faults_minor),
    FIELD(objects_evicted),
    FIELD(objects_dropped_clean),
    FIELD(objects_read_ahead),
    FIELD(bytes_read),
    FIELD(bytes_written),
    FIELD(io_errors),
    FIELD(objects_poisoned),
    FIELD(fault_ns_p50),
    FIELD(fault_ns_p99),
    FIELD(fault_ns_max),
    FIELD(elapsed_ns),
    FIELD(swap_ns),
    FIELD(ram_needed_bytes),
    FIELD(compressed_ram_bytes),
    FIELD(compressed_bytes),
    FIELD(bytes_compressed),
    FIELD(bytes_decompressed),
    FIELD(faults_compressed),
#undef FIELD
};
_Static_assert(array_size(fields) * sizeof(uint64_t) == sizeof(struct uswap_stats),
               "every statistic is written");

static void write_json(struct text *text, const struct uswap_stats *stats)
{
    append(text, "{\n");
    for (size_t i = 0; i < array_size(fields); i++) {
        uint64_t value;
        memcpy(&value, (const char *)stats + fields[i].offset, sizeof(value));
        append(text, "  \"%s\": %lu%s\n", fields[i].name, (unsigned long)value,
               i + 1 < array_size(fields) ? "," : "");
    }
    append(text, "}\n");
}

static void append_size(struct text *text, const char *label, uint64_t size)
{
    char buffer[16];

    append(text, "%s%s", label, size_format(size, buffer));
}

static void append_us(struct text *text, const char *label, uint64_t ns)
{
    append(text, "%s%lu.%lu us", label, (unsigned long)(ns / 1000),
           (unsigned long)(ns % 1000 / 100));
}

static void append_seconds(struct text *text, const char *label, uint64_t ns)
{
    append(text, "%s%lu.%02lu s", label, (unsigned long)(ns / 1000000000),
           (unsigned long)(ns / 10000000 % 100));
}

static void write_cost(struct text *text, const struct uswap_stats *stats)
{
    append_seconds(text, "uswap: swapping took ", stats->swap_ns);
    append(text, " of its threads' time: %lu faults read from a store",
           (unsigned long)(stats->faults_major - stats->faults_compressed));
    if (stats->bytes_compressed)
        append(text, ", %lu from compressed RAM", (unsigned long)stats->faults_compressed);
    append(text, ", %lu were in memory or new", (unsigned long)stats->faults_minor);
    append_us(text, "; median ", stats->fault_ns_p50);
    append_us(text, ", 99 % ", stats->fault_ns_p99);
    append(text, "\nuswap: %lu objects left memory, %lu of them unchanged, %lu were read ahead",
           (unsigned long)stats->objects_evicted, (unsigned long)stats->objects_dropped_clean,
           (unsigned long)stats->objects_read_ahead);
    append_size(text, "; read ", stats->bytes_read);
    append_size(text, ", written ", stats->bytes_written);
    if (stats->bytes_compressed) {
        append_size(text, "; compressed ", stats->bytes_compressed);
        append_size(text, ", read back ", stats->bytes_decompressed);
    }
    append_size(text, "\nuswap: nothing would have been swapped with --ram ",
                stats->ram_needed_bytes);
    append(text, "\n");
}

static void write_summary(struct text *text, const struct uswap_stats *stats)
{
    append_seconds(text, "uswap: ran ", stats->elapsed_ns);
    append_size(text, " within a RAM budget of ", stats->ram_budget_bytes);
    append_size(text, ", with at most ", stats->resident_peak_bytes);
    append(text, " resident\n");
    if (stats->objects_evicted) {
        write_cost(text, stats);
    } else {
        append_size(text, "uswap: nothing was swapped; --ram ", stats->ram_needed_bytes);
        append(text, " would have been enough\n");
    }
    if (stats->io_errors || stats->objects_poisoned)
        append(text, "uswap: errors: %lu IO errors, %lu objects lost\n",
               (unsigned long)stats->io_errors, (unsigned long)stats->objects_poisoned);
}

static int write_all(int fd, const struct text *text)
{
    for (size_t done = 0; done < text->length;) {
        long written = sys_call(SYS_write, fd, text->data + done, text->length - done);
        if (written == -EINTR)
            continue;
        if (written <= 0)
            return written ? (int)written : -EIO;
        done += (size_t)written;
    }
    return 0;
}

static int write_file(const char *path, const struct text *text)
{
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int error;

    if (fd < 0)
        return (int)fd;
    error = write_all((int)fd, text);
    sys_call(SYS_close, fd);
    return error;
}

const char *stats_find_pid(const char *path)
{
    return strstr(path, "%p");
}

/* Write path with the number of the process in the place of %p. -ENAMETOOLONG: it does not fit. */
static int expand_path(const char *path, char buffer[PATH_MAX])
{
    const char *mark = stats_find_pid(path);
    size_t head = mark ? (size_t)(mark - path) : strlen(path);
    size_t length;

    if (head >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(buffer, path, head);
    buffer[head] = '\0';
    if (!mark)
        return 0;
    length = head + fmt_write(buffer + head, PATH_MAX - head, "%ld%s", sys_call(SYS_getpid),
                              mark + strlen("%p"));
    return length + 1 < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int stats_write(const struct uswap_stats *stats, const char *path)
{
    struct text text = {.length = 0};
    char expanded[PATH_MAX];
    int error;

    if (strcmp(path, "-") == 0) {
        write_summary(&text, stats);
        return write_all(2, &text);
    }
    write_json(&text, stats);
    error = expand_path(path, expanded);
    return error ? error : write_file(expanded, &text);
}
