/* SPDX-License-Identifier: MIT */
/* Checksums: the same for the same page, and another one for every changed bit. */
#include "store/checksum.h"

#include "cmocka_all.h"
#include "random.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct random seeded;
static uint8_t page[PAGE_SIZE] __attribute__((aligned(4096)));

static void fill(void)
{
    for (size_t i = 0; i < PAGE_SIZE; i++)
        page[i] = (uint8_t)random_next(&seeded);
}

static void a_changed_bit_changes_the_checksum(void **state)
{
    uint64_t before;

    fill();
    before = checksum_page(page);
    for (size_t bit = 0; bit < 8 * PAGE_SIZE; bit += 7) {
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(checksum_page(page), before);
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(checksum_page(page), before);
}

static void the_address_does_not_matter(void **state)
{
    static uint8_t copy[PAGE_SIZE + 64];

    fill();
    for (size_t shift = 0; shift < 64; shift++) {
        memcpy(copy + shift, page, PAGE_SIZE);
        assert_int_equal(checksum_page(copy + shift), checksum_page(page));
    }
}

static void every_start_has_its_own_secret(void **state)
{
    uint64_t before = checksum_page(page);

    assert_int_equal(checksum_start(), 0);
    assert_int_not_equal(checksum_page(page), before);
}

static void wide_and_plain_code_agree(void **state)
{
#if defined(__x86_64__)
    uint8_t secret[CHECKSUM_SECRET_SIZE];

    if (!__builtin_cpu_supports("avx2"))
        skip();
    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)random_next(&seeded);
    for (unsigned round = 0; round < 1000; round++) {
        fill();
        assert_int_equal(checksum_page_wide(page, secret),
                         XXH3_64bits_withSecret(page, PAGE_SIZE, secret, sizeof(secret)));
    }
#else
    skip();
#endif
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changed_bit_changes_the_checksum),
        cmocka_unit_test(the_address_does_not_matter),
        cmocka_unit_test(every_start_has_its_own_secret),
        cmocka_unit_test(wide_and_plain_code_agree),
    };

    seeded = random_start(argc, argv);
    if (checksum_start())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
