/* SPDX-License-Identifier: MIT */
/* available_ram() on made-up trees of /proc and cgroups. */
#include "arena/available.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define V1_MOUNT "34 30 0:31 %s /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory\n"
#define V2_MOUNT "35 30 0:32 %s /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"

struct tree {
    char root[64];
};

static void put(const struct tree *tree, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Write a file of the tree, and the directories above it. */
static void put(const struct tree *tree, const char *path, const char *format, ...)
{
    char full[512];
    va_list args;
    FILE *file;

    snprintf(full, sizeof(full), "%s%s", tree->root, path);
    for (char *slash = full + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    file = fopen(full, "w");
    assert_non_null(file);
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    static struct tree tree;

    strcpy(tree.root, "/tmp/uswap-test-available-XXXXXX");
    assert_non_null(mkdtemp(tree.root));
    put(&tree, "/proc/meminfo", "MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable:    4096 kB\n");
    *state = &tree;
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", ((struct tree *)*state)->root);
    return system(command);
}

static void machine_without_cgroups(void **state)
{
    struct tree *tree = *state;

    assert_int_equal(available_ram(tree->root), 4096 * KIB);
}

static void nothing_to_read(void **state)
{
    assert_int_equal(available_ram("/nonexistent"), 0);
}

static void v2_limit_minus_usage(void **state)
{
    struct tree *tree = *state;

    put(tree, "/proc/self/cgroup", "0::/user/job\n");
    put(tree, "/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda rw\n" V2_MOUNT, "/");
    put(tree, "/sys/fs/cgroup/user/job/memory.max", "3000000\n");
    put(tree, "/sys/fs/cgroup/user/job/memory.current", "1000000\n");
    assert_int_equal(available_ram(tree->root), 2000000);
}

static void v2_cache_counts_as_available(void **state)
{
    struct tree *tree = *state;

    v2_limit_minus_usage(state);
    put(tree, "/sys/fs/cgroup/user/job/memory.stat",
        "anon 5\nactive_file 7\ninactive_file 400000\n");
    assert_int_equal(available_ram(tree->root), 2400000);
}

static void v2_high_limits_too(void **state)
{
    struct tree *tree = *state;

    v2_limit_minus_usage(state);
    put(tree, "/sys/fs/cgroup/user/job/memory.high", "1500000\n");
    assert_int_equal(available_ram(tree->root), 500000);
    put(tree, "/sys/fs/cgroup/user/job/memory.high", "max\n");
    assert_int_equal(available_ram(tree->root), 2000000);
}

static void v2_parent_is_tighter(void **state)
{
    struct tree *tree = *state;

    v2_limit_minus_usage(state);
    put(tree, "/sys/fs/cgroup/user/memory.max", "1100000\n");
    put(tree, "/sys/fs/cgroup/user/memory.current", "1000000\n");
    assert_int_equal(available_ram(tree->root), 100000);
}

static void v2_root_of_a_namespace(void **state)
{
    struct tree *tree = *state;

    put(tree, "/proc/self/cgroup", "0::/\n");
    put(tree, "/proc/self/mountinfo", V2_MOUNT, "/");
    put(tree, "/sys/fs/cgroup/memory.max", "700000\n");
    put(tree, "/sys/fs/cgroup/memory.current", "100000\n");
    assert_int_equal(available_ram(tree->root), 600000);
}

static void v2_group_outside_the_namespace(void **state)
{
    struct tree *tree = *state;

    v2_root_of_a_namespace(state);
    put(tree, "/proc/self/cgroup", "0::/../../other\n");
    assert_int_equal(available_ram(tree->root), 600000);
}

static void usage_over_limit_leaves_nothing(void **state)
{
    struct tree *tree = *state;

    v2_root_of_a_namespace(state);
    put(tree, "/sys/fs/cgroup/memory.current", "800000\n");
    assert_int_equal(available_ram(tree->root), 0);
}

static void limit_above_the_machine(void **state)
{
    struct tree *tree = *state;

    v2_root_of_a_namespace(state);
    put(tree, "/sys/fs/cgroup/memory.max", "99000000000\n");
    assert_int_equal(available_ram(tree->root), 4096 * KIB);
}

static void v1_memory_controller(void **state)
{
    struct tree *tree = *state;

    put(tree, "/proc/self/cgroup", "6:cpuset:/no\n5:memoryx:/no\n4:cpu,memory:/job\n0::/\n");
    put(tree, "/proc/self/mountinfo",
        "33 30 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n" V1_MOUNT, "/");
    put(tree, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(tree, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "99999999\n");
    put(tree, "/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2000000\n");
    put(tree, "/sys/fs/cgroup/memory/job/memory.usage_in_bytes", "500000\n");
    put(tree, "/sys/fs/cgroup/memory/job/memory.stat",
        "inactive_file 1\ntotal_inactive_file 100000\n");
    assert_int_equal(available_ram(tree->root), 1600000);
}

/* A container without a cgroup namespace sees the host's path, but only its own directory. */
static void v1_mount_of_a_container(void **state)
{
    struct tree *tree = *state;

    put(tree, "/proc/self/cgroup", "4:memory:/docker/abc/inner\n");
    put(tree, "/proc/self/mountinfo", V1_MOUNT, "/docker/abc");
    put(tree, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "3000000\n");
    put(tree, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n");
    assert_int_equal(available_ram(tree->root), 2000000);
    put(tree, "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "1200000\n");
    put(tree, "/sys/fs/cgroup/memory/inner/memory.usage_in_bytes", "1000000\n");
    assert_int_equal(available_ram(tree->root), 200000);
    put(tree, "/proc/self/cgroup", "4:memory:/docker/abc\n");
    assert_int_equal(available_ram(tree->root), 2000000);
    put(tree, "/proc/self/cgroup", "4:memory:/docker/abcdef\n");
    assert_int_equal(available_ram(tree->root), 2000000);
}

static void both_versions_the_tighter_counts(void **state)
{
    struct tree *tree = *state;

    put(tree, "/proc/self/cgroup", "4:memory:/a\n0::/b\n");
    put(tree, "/proc/self/mountinfo", V1_MOUNT "36 30 0:33 / /unified rw - cgroup2 cgroup2 rw\n",
        "/");
    put(tree, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3000000\n");
    put(tree, "/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "1000000\n");
    put(tree, "/unified/b/memory.max", "1000001\n");
    put(tree, "/unified/b/memory.current", "1\n");
    assert_int_equal(available_ram(tree->root), 1000000);
}

static void long_lines_are_passed_over(void **state)
{
    struct tree *tree = *state;
    static char options[6000];

    v2_root_of_a_namespace(state);
    memset(options, 'x', sizeof(options) - 1);
    put(tree, "/proc/self/mountinfo", "1 0 0:9 / /o rw - overlay overlay rw,%s\n" V2_MOUNT, options,
        "/");
    assert_int_equal(available_ram(tree->root), 600000);
}

static void this_machine_has_some(void **state)
{
    assert_true(available_ram("") > MIB);
}

int main(void)
{
#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TREE_TEST(machine_without_cgroups),        TREE_TEST(v2_limit_minus_usage),
        TREE_TEST(v2_cache_counts_as_available),   TREE_TEST(v2_high_limits_too),
        TREE_TEST(v2_parent_is_tighter),           TREE_TEST(v2_root_of_a_namespace),
        TREE_TEST(v2_group_outside_the_namespace), TREE_TEST(usage_over_limit_leaves_nothing),
        TREE_TEST(limit_above_the_machine),        TREE_TEST(v1_memory_controller),
        TREE_TEST(v1_mount_of_a_container),        TREE_TEST(both_versions_the_tighter_counts),
        TREE_TEST(long_lines_are_passed_over),     cmocka_unit_test(nothing_to_read),
        cmocka_unit_test(this_machine_has_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
