/* SPDX-License-Identifier: MIT */
#include "arena/config.h"

#include "base/msg.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What was said last, and how often. */
static char message[1024];
static unsigned messages;

static void record(void *context, enum uswap_level level, const char *line)
{
    snprintf(message, sizeof(message), "%s", line);
    messages++;
}

static int setup(void **state)
{
    static struct uswap_options options;

    uswap_options_init(&options);
    message[0] = '\0';
    messages = 0;
    msg_set_handler(record, NULL);
    *state = &options;
    return 0;
}

/* One message, with these three parts. */
static void assert_said(const char *name, const char *value, const char *remedy)
{
    assert_int_equal(messages, 1);
    assert_non_null(strstr(message, name));
    assert_non_null(strstr(message, value));
    assert_non_null(strstr(message, remedy));
}

static void defaults_are_all_empty(void **state)
{
    struct uswap_options *options = *state;

    memset(options, 0xff, sizeof(*options));
    uswap_options_init(options);
    assert_int_equal(options->struct_size, sizeof(*options));
    assert_int_equal(options->ram, 0);
    assert_int_equal(options->stores_count, 0);
    assert_null(options->stats_path);
}

static void default_ram_is_half_of_what_is_available(void **state)
{
    uint64_t half = config_available_ram() / 2;
    uint64_t ram = config_default_ram();

    /* Others use the machine at the same time. */
    assert_true(ram >= CONFIG_RAM_MIN);
    assert_true(ram > half / 2 && ram < half * 2);
}

static void ram_takes_units(void **state)
{
    struct uswap_options *options = *state;

    assert_int_equal(config_read_ram("--ram ", "64M", options), 0);
    assert_int_equal(options->ram, 64 * MIB);
    assert_int_equal(config_read_ram("--ram ", "1.5G", options), 0);
    assert_int_equal(options->ram, 3 * GIB / 2);
    assert_int_equal(config_read_ram("--ram ", "8388608", options), 0);
    assert_int_equal(options->ram, CONFIG_RAM_MIN);
}

static void ram_takes_a_percentage_of_what_is_available(void **state)
{
    struct uswap_options *options = *state;
    uint64_t available = config_available_ram();

    assert_int_equal(config_read_ram("--ram ", "50%", options), 0);
    assert_true(options->ram > available / 4 && options->ram < available);
}

static void wrong_ram_is_refused(void **state)
{
    struct uswap_options *options = *state;

    assert_int_equal(config_read_ram("--ram ", "5X", options), -EINVAL);
    assert_said("--ram 5X", "not a size", "K, M, G or T");
    assert_int_equal(options->ram, 0);
}

static void small_ram_is_refused(void **state)
{
    struct uswap_options *options = *state;

    assert_int_equal(config_read_ram("--ram ", "8388607", options), -EINVAL);
    assert_said("--ram 8388607", "too small", "8M");
}

static void ram_over_everything_is_refused(void **state)
{
    assert_int_equal(config_read_ram("USWAP_RAM=", "101%", *state), -EINVAL);
    assert_said("USWAP_RAM=101%", "more than", "");
}

static void store_with_and_without_size(void **state)
{
    struct uswap_options *options = *state;

    assert_int_equal(config_add_store("--swap ", "/scratch", options), 0);
    assert_int_equal(config_add_store("--swap ", "/scratch/file:2G", options), 0);
    assert_int_equal(options->stores_count, 2);
    assert_string_equal(options->stores[0].path, "/scratch");
    assert_int_equal(options->stores[0].size, 0);
    assert_string_equal(options->stores[1].path, "/scratch/file");
    assert_int_equal(options->stores[1].size, 2 * GIB);
}

static void store_size_as_a_percentage_of_free_space(void **state)
{
    struct uswap_options *options = *state;

    assert_int_equal(config_add_store("--swap ", "/tmp:10%", options), 0);
    assert_int_equal(config_add_store("--swap ", "/tmp/not-made-yet:10%", options), 0);
    assert_true(options->stores[0].size > MIB);
    assert_true(options->stores[1].size > MIB);
}

static void relative_paths_become_absolute(void **state)
{
    struct uswap_options *options = *state;
    char directory[PATH_MAX], expected[PATH_MAX + 8];

    assert_non_null(getcwd(directory, sizeof(directory)));
    snprintf(expected, sizeof(expected), "%s/swap", directory);
    assert_int_equal(config_add_store("--swap ", "swap:1G", options), 0);
    assert_int_equal(config_read_stats("--stats ", "swap", options), 0);
    assert_string_equal(options->stores[0].path, expected);
    assert_string_equal(options->stats_path, expected);
}

static void backslash_takes_meaning_away(void **state)
{
    struct uswap_options *options = *state;

    assert_int_equal(config_add_stores("USWAP_SWAP=", "/a\\:b\\,c\\\\d:1G,/e", options), 0);
    assert_int_equal(options->stores_count, 2);
    assert_string_equal(options->stores[0].path, "/a:b,c\\d");
    assert_int_equal(options->stores[0].size, GIB);
    assert_string_equal(options->stores[1].path, "/e");
}

static void comma_on_the_command_line_is_part_of_the_path(void **state)
{
    struct uswap_options *options = *state;

    assert_int_equal(config_add_store("--swap ", "/a,b", options), 0);
    assert_string_equal(options->stores[0].path, "/a,b");
}

static void stores_are_read_as_they_are_written(void **state)
{
    struct uswap_options *options = *state;
    struct uswap_options again;
    char text[256];

    assert_int_equal(config_add_store("--swap ", "/a\\:b,c:1G", options), 0);
    assert_int_equal(config_add_store("--swap ", "/d\\\\", options), 0);
    assert_int_equal(config_write_stores(options, text, sizeof(text)), 0);
    assert_string_equal(text, "/a\\:b\\,c:1073741824,/d\\\\");
    uswap_options_init(&again);
    assert_int_equal(config_add_stores("", text, &again), 0);
    assert_int_equal(again.stores_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(again.stores[i].path, options->stores[i].path);
        assert_int_equal(again.stores[i].size, options->stores[i].size);
    }
}

static void stores_that_do_not_fit_are_not_written(void **state)
{
    struct uswap_options *options = *state;
    char text[64];
    size_t need = strlen("/first:1073741824,/second") + 1;

    assert_int_equal(config_add_stores("", "/first:1G,/second", options), 0);
    assert_int_equal(config_write_stores(options, text, sizeof(text)), 0);
    for (size_t size = 1; size < need; size++)
        assert_int_equal(config_write_stores(options, text, size), -ERANGE);
}

static void wrong_store_size_is_refused(void **state)
{
    assert_int_equal(config_add_store("--swap ", "/a:lot", *state), -EINVAL);
    assert_said("--swap /a:lot", "not a size", "\\:");
}

static void empty_store_size_is_refused(void **state)
{
    assert_int_equal(config_add_store("--swap ", "/a:0", *state), -EINVAL);
    assert_said("--swap /a:0", "not a size", "K, M, G or T");
}

static void missing_store_path_is_refused(void **state)
{
    assert_int_equal(config_add_stores("USWAP_SWAP=", "/a,,/b", *state), -EINVAL);
    assert_said("USWAP_SWAP=/a,,/b", "path is missing", "PATH");
}

static void too_many_stores_are_refused(void **state)
{
    assert_int_equal(config_add_stores("USWAP_SWAP=", "/1,/2,/3,/4,/5,/6,/7,/8", *state), 0);
    assert_int_equal(config_add_store("--swap ", "/9", *state), -EINVAL);
    assert_said("--swap /9", "more stores", "8");
}

static void too_long_paths_are_refused(void **state)
{
    static char path[2 * PATH_MAX];

    memset(path, '/', sizeof(path) - 1);
    assert_int_equal(config_add_store("--swap ", path, *state), -EINVAL);
    assert_int_equal(config_read_stats("--stats ", path, *state), -EINVAL);
    assert_int_equal(messages, 2);
}

static void summary_on_stderr(void **state)
{
    struct uswap_options *options = *state;

    assert_int_equal(config_read_stats("--stats ", "-", options), 0);
    assert_string_equal(options->stats_path, "-");
    assert_int_equal(config_read_stats("--stats ", "", options), -EINVAL);
    assert_said("--stats ", "missing", "-");
}

static void environment_is_read(void **state)
{
    struct uswap_options *options = *state;
    char ram[] = "USWAP_RAM=32M", swap[] = "USWAP_SWAP=/x:1G,/y", stats[] = "USWAP_STATS=/s";
    char other[] = "USWAP_RAMX=1";
    char *environment[] = {other, ram, swap, stats, NULL};

    assert_int_equal(config_from_environment(environment, options), 0);
    memset(swap, 'z', sizeof(swap) - 1);
    assert_int_equal(options->ram, 32 * MIB);
    assert_int_equal(options->stores_count, 2);
    assert_string_equal(options->stores[1].path, "/y");
    assert_string_equal(options->stats_path, "/s");
    assert_int_equal(messages, 0);
}

static void statistics_of_another_process_are_passed_over(void **state)
{
    struct uswap_options *options = *state;
    char stats[] = "USWAP_STATS=/s", pid[64];
    char *environment[] = {stats, pid, NULL};

    snprintf(pid, sizeof(pid), CONFIG_STATS_PID "=%d", getppid());
    assert_int_equal(config_from_environment(environment, options), 0);
    assert_null(options->stats_path);
    snprintf(pid, sizeof(pid), CONFIG_STATS_PID "=%d", getpid());
    assert_int_equal(config_from_environment(environment, options), 0);
    assert_string_equal(options->stats_path, "/s");
}

static void empty_and_missing_environment(void **state)
{
    struct uswap_options *options = *state;
    char ram[] = "USWAP_RAM=";
    char *environment[] = {ram, NULL};

    assert_int_equal(config_from_environment(environment, options), 0);
    assert_int_equal(config_from_environment(NULL, options), 0);
    assert_int_equal(options->ram, 0);
}

static void wrong_environment_names_the_variable(void **state)
{
    assert_int_equal(setenv("USWAP_RAM", "lots", 1), 0);
    assert_int_equal(uswap_options_from_env(*state), -EINVAL);
    assert_said("USWAP_RAM=lots", "not a size", "K, M, G or T");
    unsetenv("USWAP_RAM");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_all_empty),
        TEST(default_ram_is_half_of_what_is_available),
        TEST(ram_takes_units),
        TEST(ram_takes_a_percentage_of_what_is_available),
        TEST(wrong_ram_is_refused),
        TEST(small_ram_is_refused),
        TEST(ram_over_everything_is_refused),
        TEST(store_with_and_without_size),
        TEST(store_size_as_a_percentage_of_free_space),
        TEST(relative_paths_become_absolute),
        TEST(backslash_takes_meaning_away),
        TEST(comma_on_the_command_line_is_part_of_the_path),
        TEST(stores_are_read_as_they_are_written),
        TEST(stores_that_do_not_fit_are_not_written),
        TEST(wrong_store_size_is_refused),
        TEST(empty_store_size_is_refused),
        TEST(missing_store_path_is_refused),
        TEST(too_many_stores_are_refused),
        TEST(too_long_paths_are_refused),
        TEST(summary_on_stderr),
        TEST(environment_is_read),
        TEST(statistics_of_another_process_are_passed_over),
        TEST(empty_and_missing_environment),
        TEST(wrong_environment_names_the_variable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
