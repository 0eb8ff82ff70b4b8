/* SPDX-License-Identifier: MIT */
/* The bitmap against an array of bools, and its limits. */
#include "base/bitmap.h"

#include "base/meta.h"
#include "cmocka_all.h"
#include "random.h"

#include <stdlib.h>
#include <string.h>

/* Of the largest bitmap that is compared with an array. */
#define BITS_MAX 30000

static struct random seeded;

/* A bitmap and what should be in it. */
struct pair {
    struct bitmap map;
    void *memory;
    bool *model;
    uint64_t bits;
};

static struct pair make_pair(uint64_t bits)
{
    struct pair pair = {.bits = bits};

    pair.memory = calloc(1, bitmap_bytes(bits));
    pair.model = calloc(bits, sizeof(bool));
    assert_non_null(pair.memory);
    assert_non_null(pair.model);
    bitmap_init(&pair.map, bits, pair.memory);
    return pair;
}

static void free_pair(struct pair *pair)
{
    free(pair->memory);
    free(pair->model);
}

static void fill(struct pair *pair, uint64_t first, uint64_t count, bool value)
{
    if (value)
        bitmap_set_range(&pair->map, first, count);
    else
        bitmap_clear_range(&pair->map, first, count);
    for (uint64_t i = 0; i < count; i++)
        pair->model[first + i] = value;
}

static void change_something(struct pair *pair)
{
    uint64_t bit = random_below(&seeded, pair->bits);
    uint64_t room = pair->bits - bit;
    uint64_t count = min_u64(random_log(&seeded) % (pair->bits + 1), room);

    switch (random_below(&seeded, 6)) {
    case 0:
        fill(pair, bit, count, true);
        break;
    case 1:
        fill(pair, bit, count, false);
        break;
    case 2:
    case 3:
        bitmap_set(&pair->map, bit);
        pair->model[bit] = true;
        break;
    default:
        bitmap_clear(&pair->map, bit);
        pair->model[bit] = false;
    }
}

static uint64_t model_run(const struct pair *pair, uint64_t first, uint64_t limit)
{
    uint64_t run = 0;

    while (run < limit && first + run < pair->bits && pair->model[first + run])
        run++;
    return run;
}

static uint64_t model_next(const struct pair *pair, uint64_t from)
{
    while (from < pair->bits && !pair->model[from])
        from++;
    return from < pair->bits ? from : BITMAP_NONE;
}

/* The first long enough run from `from` on and then from 0; else the length of the longest. */
static uint64_t model_find(const struct pair *pair, uint64_t from, uint64_t want, uint64_t align,
                           uint64_t *count)
{
    static uint64_t runs[BITS_MAX + 1];

    runs[pair->bits] = 0;
    for (uint64_t bit = pair->bits; bit-- > 0;)
        runs[bit] = pair->model[bit] ? min_u64(runs[bit + 1] + 1, want) : 0;
    *count = 0;
    for (uint64_t i = 0; i < pair->bits; i++) {
        uint64_t first = (from + i) % pair->bits;
        if (first % align)
            continue;
        *count = max_u64(*count, runs[first]);
        if (runs[first] == want)
            return first;
    }
    return BITMAP_NONE;
}

static void check_find(const struct pair *pair)
{
    uint64_t from = random_below(&seeded, pair->bits);
    uint64_t want = 1 + random_log(&seeded) % pair->bits;
    uint64_t align = (uint64_t)1 << (random_below(&seeded, 2) * random_below(&seeded, 8));
    uint64_t count, longest;
    uint64_t expected = model_find(pair, from, want, align, &longest);
    uint64_t found = bitmap_find_run(&pair->map, from, want, align, UINT32_MAX, &count);

    if (expected != BITMAP_NONE || align > 1 || longest == 0) {
        assert_int_equal(found, expected);
        assert_int_equal(count, expected == BITMAP_NONE ? 0 : want);
        return;
    }
    assert_int_equal(count, longest);
    assert_true(found < pair->bits);
    assert_int_equal(model_run(pair, found, want), count);
}

static void check_queries(const struct pair *pair)
{
    uint64_t bit = random_below(&seeded, pair->bits);
    uint64_t limit = random_log(&seeded);

    assert_int_equal(bitmap_test(&pair->map, bit), pair->model[bit]);
    assert_int_equal(bitmap_next_set(&pair->map, bit), model_next(pair, bit));
    assert_int_equal(bitmap_run(&pair->map, bit, limit), model_run(pair, bit, limit));
    check_find(pair);
}

static void check_every_bit(const struct pair *pair)
{
    uint64_t next = 0;

    for (uint64_t bit = 0; bit < pair->bits; bit++) {
        assert_int_equal(bitmap_test(&pair->map, bit), pair->model[bit]);
        if (!pair->model[bit])
            continue;
        assert_int_equal(bitmap_next_set(&pair->map, next), bit);
        next = bit + 1;
    }
    assert_int_equal(bitmap_next_set(&pair->map, next), BITMAP_NONE);
}

static void random_changes_match_an_array_of_bools(void **state)
{
    static const uint64_t sizes[] = {1, 2, 63, 64, 65, 128, 1000, 4095, 4096, 4097, BITS_MAX};

    for (size_t i = 0; i < array_size(sizes); i++) {
        struct pair pair = make_pair(sizes[i]);
        for (int step = 0; step < 500; step++) {
            change_something(&pair);
            check_queries(&pair);
        }
        check_every_bit(&pair);
        free_pair(&pair);
    }
}

static void an_empty_bitmap_has_nothing(void **state)
{
    struct pair pair = make_pair(5000);
    uint64_t count = 1;

    assert_int_equal(bitmap_next_set(&pair.map, 0), BITMAP_NONE);
    assert_int_equal(bitmap_find_run(&pair.map, 17, 3, 1, 100, &count), BITMAP_NONE);
    assert_int_equal(count, 0);
    free_pair(&pair);
}

static void questions_beyond_the_end_find_nothing_there(void **state)
{
    struct pair pair = make_pair(100);
    uint64_t count;

    fill(&pair, 0, 100, true);
    assert_int_equal(bitmap_next_set(&pair.map, 100), BITMAP_NONE);
    assert_int_equal(bitmap_next_set(&pair.map, UINT64_MAX), BITMAP_NONE);
    assert_int_equal(bitmap_run(&pair.map, 100, 5), 0);
    assert_int_equal(bitmap_run(&pair.map, 90, UINT64_MAX), 10);
    assert_int_equal(bitmap_find_run(&pair.map, 1000, 5, 1, 10, &count), 0);
    assert_int_equal(count, 5);
    free_pair(&pair);
}

static void a_range_of_nothing_changes_nothing(void **state)
{
    struct pair pair = make_pair(200);

    fill(&pair, 0, 0, true);
    fill(&pair, 130, 0, true);
    check_every_bit(&pair);
    fill(&pair, 0, 200, true);
    fill(&pair, 0, 0, false);
    fill(&pair, 64, 0, false);
    check_every_bit(&pair);
    free_pair(&pair);
}

static void the_search_stops_after_its_effort(void **state)
{
    struct pair pair = make_pair(10000);
    uint64_t count;

    for (uint64_t bit = 0; bit < 2000; bit += 2)
        fill(&pair, bit, 1, true);
    fill(&pair, 5000, 2, true);
    assert_int_equal(bitmap_find_run(&pair.map, 0, 2, 1, 10, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(bitmap_find_run(&pair.map, 0, 2, 2, 10, &count), BITMAP_NONE);
    assert_int_equal(bitmap_find_run(&pair.map, 0, 2, 1, 1001, &count), 5000);
    assert_int_equal(count, 2);
    free_pair(&pair);
}

static void two_to_the_32_bits_work_in_reserved_memory(void **state)
{
    uint64_t bits = (uint64_t)1 << 32;
    void *memory = meta_reserve(bitmap_bytes(bits));
    struct bitmap map;

    assert_non_null(memory);
    bitmap_init(&map, bits, memory);
    assert_int_equal(map.levels, BITMAP_MAX_LEVELS);
    bitmap_set(&map, bits - 1);
    bitmap_set_range(&map, bits / 2 - 100, 200);
    assert_int_equal(bitmap_next_set(&map, 0), bits / 2 - 100);
    assert_int_equal(bitmap_run(&map, bits / 2 - 100, 1000), 200);
    assert_int_equal(bitmap_next_set(&map, bits / 2 + 100), bits - 1);
    bitmap_clear(&map, bits - 1);
    assert_int_equal(bitmap_next_set(&map, bits / 2 + 100), BITMAP_NONE);
    meta_release(memory, bitmap_bytes(bits));
}

static void laying_it_over_a_bitmap_again_keeps_the_bits(void **state)
{
    struct pair pair = make_pair(5000);

    fill(&pair, 4100, 300, true);
    memset(&pair.map, 0, sizeof(pair.map));
    bitmap_init(&pair.map, pair.bits, pair.memory);
    check_every_bit(&pair);
    free_pair(&pair);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_match_an_array_of_bools),
        cmocka_unit_test(an_empty_bitmap_has_nothing),
        cmocka_unit_test(questions_beyond_the_end_find_nothing_there),
        cmocka_unit_test(a_range_of_nothing_changes_nothing),
        cmocka_unit_test(the_search_stops_after_its_effort),
        cmocka_unit_test(two_to_the_32_bits_work_in_reserved_memory),
        cmocka_unit_test(laying_it_over_a_bitmap_again_keeps_the_bits),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
