/* SPDX-License-Identifier: MIT */
/* fmt against snprintf, where both know the conversion. */
#include "base/fmt.h"

#include "base/base.h"
#include "cmocka_all.h"
#include "random.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

static struct random seeded;

/* fmt_write() for formats that the compiler shall not look at. */
static size_t (*volatile write_any)(char *, size_t, const char *, ...) = fmt_write;

#define assert_same(...)                                                                           \
    do {                                                                                           \
        char ours[256], theirs[256];                                                               \
        int length = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                \
        assert_int_equal(write_any(ours, sizeof(ours), __VA_ARGS__), length);                      \
        assert_string_equal(ours, theirs);                                                         \
    } while (0)

/* %, flags, width, a length modifier, conversion. */
static void random_format(char *format, const char *modifier, const char *conversions)
{
    static const char *const flags[] = {"", "0", "-"};
    char width[8] = "";

    if (random_below(&seeded, 2))
        snprintf(width, sizeof(width), "%d", (int)(1 + random_below(&seeded, 40)));
    sprintf(format, "<%%%s%s%s%c>", flags[random_below(&seeded, 3)], width, modifier,
            conversions[random_below(&seeded, strlen(conversions))]);
}

static void integers_are_as_of_snprintf(void **state)
{
    char format[64];

    for (int i = 0; i < 20000; i++) {
        uint64_t value = random_log(&seeded) * (random_below(&seeded, 2) ? 1 : UINT64_MAX);
        random_format(format, "", "diux");
        assert_same(format, (int)value);
        random_format(format, "h", "diux");
        assert_same(format, (int)value);
        random_format(format, "hh", "diux");
        assert_same(format, (int)value);
        random_format(format, "l", "diux");
        assert_same(format, (long)value);
        random_format(format, "ll", "diux");
        assert_same(format, (long long)value);
        random_format(format, "z", "diux");
        assert_same(format, (size_t)value);
    }
}

static void limits_are_as_of_snprintf(void **state)
{
    assert_same("%d %d %u", INT_MIN, INT_MAX, UINT_MAX);
    assert_same("%ld %ld %lu %lx", LONG_MIN, LONG_MAX, ULONG_MAX, ULONG_MAX);
    assert_same("%d %x %020ld", 0, 0, LONG_MIN);
}

static void texts_are_as_of_snprintf(void **state)
{
    assert_same("%s|%10s|%-10s|%.2s|%.s|%8.3s|%.99s", "abc", "abc", "abc", "abc", "abc", "abcdef",
                "x");
    assert_same("%c%5c%-5c|", 'a', 'b', 'c');
    assert_same("100%% of %p %20p", (void *)&seeded, (void *)state);
}

static void a_precision_bounds_what_is_read(void **state)
{
    static const char no_end[3] = {'a', 'b', 'c'};
    char buffer[16];

    write_any(buffer, sizeof(buffer), "%.3s", no_end);
    assert_string_equal(buffer, "abc");
}

static void null_texts_are_named(void **state)
{
    char buffer[16];

    write_any(buffer, sizeof(buffer), "%s", NULL);
    assert_string_equal(buffer, "(null)");
}

static void what_is_not_known_is_copied(void **state)
{
    char buffer[64];

    write_any(buffer, sizeof(buffer), "%q %5.2f %-08lk %", 1);
    assert_string_equal(buffer, "%q %5.2f %-08lk %");
    write_any(buffer, sizeof(buffer), "%hhhhhhhhd|%5", 1);
    assert_non_null(strstr(buffer, "|%5"));
}

static void the_buffer_is_never_exceeded(void **state)
{
    char whole[64], buffer[64];
    size_t length = fmt_write(whole, sizeof(whole), "%s %08x %-6d|", "text", 0xabcu, -12);

    for (size_t size = 0; size <= length + 1; size++) {
        memset(buffer, '#', sizeof(buffer));
        size_t expected = size ? min_u64(size - 1, length) : 0;
        assert_int_equal(fmt_write(buffer, size, "%s %08x %-6d|", "text", 0xabcu, -12), expected);
        assert_memory_equal(buffer, whole, expected);
        assert_int_equal(buffer[size], '#');
        if (size)
            assert_int_equal(buffer[expected], '\0');
    }
}

static void a_huge_width_is_cut(void **state)
{
    char buffer[16];

    assert_int_equal(write_any(buffer, sizeof(buffer), "%99999999999999999999d", 1), 15);
    assert_string_equal(buffer, "               ");
}

static void errors_have_their_names(void **state)
{
    char buffer[8];

    assert_string_equal(fmt_errno(ENOSPC, buffer), "ENOSPC");
    assert_string_equal(fmt_errno(-ENOTRECOVERABLE, buffer), "ENOTRECOVERABLE");
    assert_string_equal(fmt_errno(0, buffer), "E0");
    assert_string_equal(fmt_errno(-999, buffer), "E999");
    assert_string_equal(fmt_errno(INT_MIN, buffer), "E214748");
}

static void names_of_errors_are_those_of_libc(void **state)
{
    char buffer[8];

    for (int error = 1; error < 200; error++) {
        const char *name = fmt_errno(error, buffer);
        if (name != buffer)
            assert_string_equal(name, strerrorname_np(error));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_as_of_snprintf),
        cmocka_unit_test(limits_are_as_of_snprintf),
        cmocka_unit_test(texts_are_as_of_snprintf),
        cmocka_unit_test(a_precision_bounds_what_is_read),
        cmocka_unit_test(null_texts_are_named),
        cmocka_unit_test(what_is_not_known_is_copied),
        cmocka_unit_test(the_buffer_is_never_exceeded),
        cmocka_unit_test(a_huge_width_is_cut),
        cmocka_unit_test(errors_have_their_names),
        cmocka_unit_test(names_of_errors_are_those_of_libc),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
