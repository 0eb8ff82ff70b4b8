/* SPDX-License-Identifier: MIT */
/* Starting and ending: options, the environment, other users, statistics, and what stays behind. */
#include "engine_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAM   (16 * MIB)
#define STORE (64 * MIB)
#define SET   (48 * MIB)

static void swap_some(void)
{
    struct uswap_stats before = engine_stats();
    char *memory = engine_map(SET, 4 * KIB);

    for (unsigned pass = 1; pass <= 2; pass++) {
        engine_fill(memory, SET, pass);
        engine_verify(memory, SET, pass);
    }
    engine_expect_swapping(&before);
    expect(uswap_unmap(memory, SET) == 0);
}

static void starts_and_swaps(uint64_t unused)
{
    engine_start(RAM, STORE);
    swap_some();
    struct uswap_stats stats = engine_stats();
    expect(stats.ram_budget_bytes == RAM);
    expect(stats.resident_peak_bytes <= RAM && stats.resident_bytes <= stats.resident_peak_bytes);
    expect(stats.metadata_bytes > 0 && stats.metadata_bytes < RAM / 4);
    expect(stats.store_capacity_bytes <= STORE && stats.store_capacity_bytes >= STORE * 9 / 10);
    expect(stats.fault_ns_p50 > 0 && stats.fault_ns_p50 <= stats.fault_ns_p99);
    expect(stats.fault_ns_p99 <= stats.fault_ns_max);
}

static void swaps_as_nobody(uint64_t unused)
{
    expect(geteuid() != 0);
    engine_start(RAM, STORE);
    swap_some();
}

static void starts_once(uint64_t unused)
{
    struct uswap_options options = engine_options(RAM, STORE);

    expect(uswap_start(&options) == 0);
    expect(uswap_start(&options) == -EALREADY);
    expect(uswap_start(NULL) == -EALREADY);
    swap_some();
}

/* Each is refused with one message that names the value, and the next start may succeed. */
static void wrong_options_are_refused(uint64_t unused)
{
    struct uswap_options options = engine_options(8 * MIB - 4096, STORE);
    char missing[512];

    engine_keep_messages();
    expect(uswap_start(&options) == -EINVAL);
    expect(engine_said_count() == 1 && engine_said("8M", ""));

    snprintf(missing, sizeof(missing), "%s/missing/deep", engine_directory());
    options = engine_options(RAM, STORE);
    options.stores[0].path = missing;
    expect(uswap_start(&options) < 0);
    expect(engine_said_count() == 2 && engine_said(missing, ""));

    options = engine_options(RAM, STORE);
    options.stores_count = USWAP_MAX_STORES + 1;
    expect(uswap_start(&options) == -EINVAL);

    options = engine_options(RAM, STORE);
    options.struct_size = 3;
    expect(uswap_start(&options) == -EINVAL);

    engine_start(RAM, STORE);
    swap_some();
}

static void a_store_may_be_a_file(uint64_t unused)
{
    struct uswap_options options = engine_options(RAM, STORE);
    char path[512];

    snprintf(path, sizeof(path), "%s/swap", engine_directory());
    options.stores[0].path = path;
    expect(uswap_start(&options) == 0);
    expect(access(path, F_OK) == -1 && errno == ENOENT, "it is unlinked when opened");
    swap_some();
}

static void a_file_with_data_is_left_alone(uint64_t unused)
{
    struct uswap_options options = engine_options(RAM, STORE);
    static const char text[] = "important";
    char found[sizeof(text)];
    char path[512];

    snprintf(path, sizeof(path), "%s/data", engine_directory());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    expect(fd >= 0 && write(fd, text, sizeof(text)) == (ssize_t)sizeof(text));
    options.stores[0].path = path;
    engine_keep_messages();
    expect(uswap_start(&options) < 0);
    expect(engine_said(path, ""));
    expect(pread(fd, found, sizeof(found), 0) == (ssize_t)sizeof(found));
    expect(memcmp(found, text, sizeof(text)) == 0);
    expect(access(path, F_OK) == 0 && unlink(path) == 0);
    close(fd);
}

static void two_stores_hold_more_than_one(uint64_t unused)
{
    struct uswap_options options = engine_options(RAM, 20 * MIB);

    options.stores[1] = options.stores[0];
    options.stores_count = 2;
    expect(uswap_start(&options) == 0);
    expect(engine_stats().store_capacity_bytes > 30 * MIB);
    swap_some();
}

static void the_environment_is_read(uint64_t unused)
{
    char swap[512];

    snprintf(swap, sizeof(swap), "%s:48M", engine_directory());
    expect(setenv("USWAP_RAM", "24M", 1) == 0 && setenv("USWAP_SWAP", swap, 1) == 0);
    expect(uswap_start(NULL) == 0);
    struct uswap_stats stats = engine_stats();
    expect(stats.ram_budget_bytes == 24 * MIB);
    expect(stats.store_capacity_bytes <= 48 * MIB && stats.store_capacity_bytes > 40 * MIB);
    swap_some();
}

static void read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);

    expect(length > 0, "%s", path);
    text[length] = '\0';
    close(fd);
}

static void statistics_are_written(uint64_t unused)
{
    static const char *const keys[] = {
        "ram_budget_bytes", "resident_peak_bytes", "window_bytes",          "faults_major",
        "faults_minor",     "objects_evicted",     "objects_dropped_clean", "bytes_read",
        "bytes_written",    "fault_ns_p50",        "fault_ns_p99",
    };
    char path[512];
    char text[8192];
    char key[64];

    engine_start(RAM, STORE);
    swap_some();
    snprintf(path, sizeof(path), "%s/stats.json", engine_directory());
    expect(uswap_write_stats(path) == 0);
    read_text(path, text, sizeof(text));
    for (size_t i = 0; i < array_size(keys); i++) {
        snprintf(key, sizeof(key), "\"%s\"", keys[i]);
        expect(strstr(text, key) != NULL, "%s is missing", key);
    }
    expect(text[0] == '{' && strchr(text, '}') != NULL);
    expect(unlink(path) == 0);
    expect(uswap_write_stats("-") == 0);
    snprintf(path, sizeof(path), "%s/missing/stats.json", engine_directory());
    expect(uswap_write_stats(path) == -ENOENT);
}

/* A program that was compiled with fewer statistics gets those it knows. */
static void shorter_statistics_are_filled(uint64_t unused)
{
    struct uswap_stats stats;

    engine_start(RAM, STORE);
    memset(&stats, 0x5a, sizeof(stats));
    expect(uswap_get_stats(&stats, 2 * sizeof(uint64_t)) == 0);
    expect(stats.ram_budget_bytes == RAM);
    expect(stats.resident_peak_bytes == UINT64_C(0x5a5a5a5a5a5a5a5a));
}

/* Killed in the middle of swapping: the directory must be empty then, see engine_run(). */
static void killed(uint64_t unused)
{
    engine_start(RAM, STORE);
    swap_some();
    engine_reached();
    for (;;)
        swap_some();
}

static const struct engine_case cases[] = {
    {.name = "starts_and_swaps", .run = starts_and_swaps},
    {.name = "swaps_as_nobody", .run = swaps_as_nobody, .as_nobody = true},
    {.name = "starts_once", .run = starts_once},
    {.name = "wrong_options_are_refused", .run = wrong_options_are_refused},
    {.name = "a_store_may_be_a_file", .run = a_store_may_be_a_file},
    {.name = "a_file_with_data_is_left_alone", .run = a_file_with_data_is_left_alone},
    {.name = "two_stores_hold_more_than_one", .run = two_stores_hold_more_than_one},
    {.name = "the_environment_is_read", .run = the_environment_is_read},
    {.name = "statistics_are_written", .run = statistics_are_written},
    {.name = "shorter_statistics_are_filled", .run = shorter_statistics_are_filled},
    {.name = "killed_leaves_nothing", .run = killed, .kill_when_reached = true},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
