/* SPDX-License-Identifier: MIT */
/* Read-ahead: it grows along a stream in either direction, and costs nothing elsewhere. */
#include "arena/stream.h"

#include "cmocka_all.h"
#include "random.h"

#include <stdbool.h>

#define LIMIT 64u

static struct random seeded;
static object_t gone; /* a page that would have to be read; 0: none */

static bool here(object_t first, object_t end)
{
    return !gone || gone < first || gone >= end;
}

static struct stream_around around = {.here = here};

/* One fault of a stream: brings in what it is told to, and says where the next one is. */
static object_t follow(object_t page, uint32_t expected)
{
    uint32_t ahead = stream_next(page, LIMIT, &around);

    assert_int_equal(ahead, expected);
    stream_extend(page, ahead, ahead);
    return page + ahead;
}

static void it_doubles_up_to_the_limit(void **state)
{
    object_t page = 1000;

    for (uint32_t expected = 1; expected < LIMIT; expected *= 2)
        page = follow(page, expected);
    for (int i = 0; i < 10; i++)
        page = follow(page, LIMIT);
}

static void it_goes_on_from_what_came_in(void **state)
{
    assert_int_equal(stream_next(5000, LIMIT, &around), 1);
    assert_int_equal(stream_passed(), 0);
    stream_extend(5000, 1, 1);
    assert_int_equal(stream_next(5001, LIMIT, &around), 2);
    assert_int_equal(stream_passed(), 1);
    stream_extend(5001, 1, 1); /* less came than was wanted */
    assert_int_equal(stream_next(5002, LIMIT, &around), 2);
}

static void eight_streams_are_followed_at_once(void **state)
{
    object_t pages[8];

    for (unsigned i = 0; i < 8; i++)
        pages[i] = 100000 * (i + 1);
    for (uint32_t expected = 1; expected <= LIMIT; expected *= 2)
        for (unsigned i = 0; i < 8; i++)
            pages[i] = follow(pages[i], expected);
}

static void the_one_that_was_still_for_longest_gives_way(void **state)
{
    object_t old = follow(follow(10000, 1), 2), page = 900000;

    for (unsigned i = 0; i < 8; i++, page += 1000)
        follow(follow(page, 1), 2);
    follow(old, 1);
}

static void faults_here_and_there_do_not_end_a_stream(void **state)
{
    object_t page = follow(follow(follow(10000, 1), 2), 4);

    for (unsigned i = 0; i < 1000; i++)
        follow(1000000 + 1000 * i, 1);
    follow(page, 8);
}

static void what_was_in_memory_is_passed(void **state)
{
    object_t page = follow(follow(follow(10000, 1), 2), 4);

    page = follow(page + 3, 8);
    follow(page + 9, 1); /* too far away */
    follow(page, 16);
}

/* A fault near a stream that has not passed what lies between. */
static void one_that_meets_it_by_chance_halves_it(void **state)
{
    object_t page = follow(follow(follow(20000, 1), 2), 4);

    gone = page + 2;
    page = follow(page + 3, 2);
    assert_int_equal(stream_passed(), 0);
    page = follow(page, 4);
    assert_int_equal(stream_passed(), 2);
    gone = 0;
}

/* Of 800 pages that are gone every 200th fault meets 4 of them by chance; one of 25 is no chance.
 */
static void one_that_meets_it_often_makes_it_grow(void **state)
{
    object_t page = follow(follow(follow(40000, 1), 2), 4);

    around.gone = 800;
    gone = page + 2;
    for (unsigned i = 0; i < 24; i++)
        follow(2000000 + 1000 * i, 1);
    page = follow(page + 3, 8);
    gone = page + 2;
    for (unsigned i = 0; i < 24; i++)
        follow(3000000 + 1000 * i, 1);
    follow(page + 3, 4);
    around.gone = gone = 0;
}

static void random_faults_get_one_page(void **state)
{
    for (unsigned i = 0; i < 10000; i++) {
        object_t page = (object_t)random_below(&seeded, UINT32_MAX / 2) | 1u << 31;
        uint32_t ahead = stream_next(page, LIMIT, &around);
        assert_true(ahead <= 2); /* two in a row by chance are a stream */
        stream_extend(page, ahead, ahead);
    }
}

static void it_goes_down_too(void **state)
{
    object_t page = 500000;
    uint32_t wanted;

    assert_int_equal(stream_down(page, LIMIT, &around), 0);
    assert_int_equal(stream_next(page, LIMIT, &around), 1);
    stream_extend(page, 1, 1);
    for (uint32_t expected = 2; expected <= LIMIT; expected *= 2) {
        page -= 1;
        wanted = stream_down(page, LIMIT, &around);
        assert_int_equal(wanted, expected);
        page -= wanted - 1;
        stream_extend_down(page, wanted);
    }
}

static void the_limit_holds(void **state)
{
    object_t page = 700000;

    for (unsigned i = 0; i < 200; i++) {
        uint32_t limit = (uint32_t)random_below(&seeded, 2 * STREAM_AHEAD_MAX) + 1;
        uint32_t ahead = stream_next(page, limit, &around);
        assert_true(ahead >= 1 && ahead <= limit && ahead <= STREAM_AHEAD_MAX);
        stream_extend(page, ahead, ahead);
        page += ahead;
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_doubles_up_to_the_limit),
        cmocka_unit_test(it_goes_on_from_what_came_in),
        cmocka_unit_test(eight_streams_are_followed_at_once),
        cmocka_unit_test(the_one_that_was_still_for_longest_gives_way),
        cmocka_unit_test(faults_here_and_there_do_not_end_a_stream),
        cmocka_unit_test(what_was_in_memory_is_passed),
        cmocka_unit_test(one_that_meets_it_by_chance_halves_it),
        cmocka_unit_test(one_that_meets_it_often_makes_it_grow),
        cmocka_unit_test(random_faults_get_one_page),
        cmocka_unit_test(it_goes_down_too),
        cmocka_unit_test(the_limit_holds),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
