/* SPDX-License-Identifier: MIT */
/* Sizes read and written. */
#include "base/size.h"

#include "cmocka_all.h"
#include "random.h"

#include <errno.h>
#include <string.h>

static struct random seeded;

static void check(const char *text, uint64_t whole, uint64_t expected)
{
    uint64_t size = ~expected;
    int error = size_parse(text, whole, &size);

    if (error || size != expected)
        print_error("\"%s\": %d, %llu\n", text, error, (unsigned long long)size);
    assert_int_equal(error, 0);
    assert_int_equal(size, expected);
}

static void check_error(const char *text, int expected)
{
    uint64_t size = 4711;
    int error = size_parse(text, 1000, &size);

    if (error != expected)
        print_error("\"%s\": %d\n", text, error);
    assert_int_equal(error, expected);
    assert_int_equal(size, 4711);
}

static void units_are_powers_of_1024(void **state)
{
    check("0", 0, 0);
    check("4711", 0, 4711);
    check("2K", 0, 2 * KIB);
    check("512m", 0, 512 * MIB);
    check("64MiB", 0, 64 * MIB);
    check("64mib", 0, 64 * MIB);
    check("3GB", 0, 3 * GIB);
    check("2G", 0, 2 * GIB);
    check("1t", 0, TIB);
    check("007K", 0, 7 * KIB);
}

static void fractions_are_exact_and_truncated_to_a_byte(void **state)
{
    check("1.5G", 0, 3 * GIB / 2);
    check("0.1G", 0, GIB / 10);
    check("1.999", 0, 1);
    check("0.0009765625K", 0, 1);
    check("0.0009765624999999999999999999999999999999K", 0, 0);
    check("0.000000000000909494701772928237915039062500T", 0, 1);
}

static void percentages_are_of_the_whole(void **state)
{
    check("10%", 1000, 100);
    check("100%", INT64_MAX, INT64_MAX);
    check("100.000%", 12345, 12345);
    check("0.1%", 999, 0);
    check("33.3%", GIB, GIB * 333 / 1000);
    check("50%", 0, 0);
}

static void what_is_not_a_size_is_refused(void **state)
{
    static const char *const wrong[] = {"",    "-1",   "+1", "12Q", "1e3",   " 1",  "1 ",  "1.",
                                        ".5G", "G",    "%",  "1.G", "1.5.5", "1KK", "1Ki", "1KiBx",
                                        "0x1", "10%%", "1B", "1%K", "1,5G",  "inf", "nan", "1GBi"};

    for (size_t i = 0; i < array_size(wrong); i++)
        check_error(wrong[i], -EINVAL);
}

static void what_is_too_much_is_out_of_range(void **state)
{
    check("9223372036854775807", 0, INT64_MAX);
    check("8388607.999999T", 0, (uint64_t)8388607 * TIB + TIB * 999999 / 1000000);
    check_error("9223372036854775808", -ERANGE);
    check_error("8388608T", -ERANGE);
    check_error("18446744073709551617", -ERANGE);
    check_error("340282366920938463463374607431768211457", -ERANGE);
    check_error("340282366920938463463374607431768211457%", -ERANGE);
    check_error("101%", -ERANGE);
    check_error("100.00001%", -ERANGE);
    check_error("99999999999999999999999999Q", -EINVAL);
}

static void random_fractions_match_wide_arithmetic(void **state)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t whole = random_log(&seeded) % 4096;
        uint64_t digits = 1 + random_below(&seeded, 15);
        uint64_t scale = 1;
        unsigned power = (unsigned)random_below(&seeded, 4);
        char text[64];

        for (uint64_t digit = 0; digit < digits; digit++)
            scale *= 10;
        uint64_t fraction = random_next(&seeded) % scale;
        snprintf(text, sizeof(text), "%llu.%0*llu%c", (unsigned long long)whole, (int)digits,
                 (unsigned long long)fraction, "KMGT"[power]);
        uint64_t unit = KIB << 10 * power;
        check(text, 0, whole * unit + (uint64_t)((unsigned __int128)fraction * unit / scale));
    }
}

static void check_format(uint64_t size, const char *expected)
{
    char buffer[16];

    assert_ptr_equal(size_format(size, buffer), buffer);
    assert_string_equal(buffer, expected);
}

static void sizes_are_written_for_people(void **state)
{
    check_format(0, "0");
    check_format(1023, "1023");
    check_format(1024, "1K");
    check_format(123 * KIB, "123K");
    check_format(64 * MIB, "64M");
    check_format(3 * GIB / 2, "1.5G");
    check_format(GIB - 1, "1023.9M");
    check_format(UINT64_MAX, "16777215.9T");
}

static void a_written_size_reads_as_nearly_the_same(void **state)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t size = random_log(&seeded) >> 1;
        uint64_t again = 0;
        char buffer[16];

        assert_int_equal(size_parse(size_format(size, buffer), 0, &again), 0);
        assert_true(again <= size);
        assert_true(size - again <= size / 10);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_powers_of_1024),
        cmocka_unit_test(fractions_are_exact_and_truncated_to_a_byte),
        cmocka_unit_test(percentages_are_of_the_whole),
        cmocka_unit_test(what_is_not_a_size_is_refused),
        cmocka_unit_test(what_is_too_much_is_out_of_range),
        cmocka_unit_test(random_fractions_match_wide_arithmetic),
        cmocka_unit_test(sizes_are_written_for_people),
        cmocka_unit_test(a_written_size_reads_as_nearly_the_same),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
