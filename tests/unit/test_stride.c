/* SPDX-License-Identifier: MIT */
/* Strides: three faults at one distance are one, in either direction and in bytes; others are not.
 */
#include "arena/stride.h"

#include "cmocka_all.h"
#include "random.h"

#define LIMIT 64u
#define PLACE (UINT64_C(1) << 40)

static struct random seeded;

static struct stride fault(uintptr_t address, uint32_t limit)
{
    struct stride stride = stride_next(address, limit);

    return stride.count > 1 ? stride : stride_begin(address, limit);
}

/* One fault, after which all comes in that was to. Returns where the next one is. */
static uintptr_t follow(uintptr_t address, int64_t step, uint32_t expected)
{
    struct stride stride = fault(address, LIMIT);
    uintptr_t last = address + (uintptr_t)(step * (int64_t)(stride.count - 1));

    assert_int_equal(stride.count, expected);
    if (expected > 1)
        assert_int_equal(stride.step, step);
    stride_extend(address, last & ~(uintptr_t)(PAGE_SIZE - 1), stride.count);
    return address + (uintptr_t)(step * (int64_t)stride.count);
}

static void a_third_fault_makes_it_and_it_doubles(void **state)
{
    static const int64_t steps[] = {2 * 4096, 18432, -3 * 4096, -18432, 512 * 4096, 4097};

    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uintptr_t at = PLACE * (2 + i) + 1000 * i;
        at = follow(at, steps[i], 1);
        at = follow(at, steps[i], 1);
        at = follow(at, steps[i], 2);
        at = follow(at, steps[i], 4);
        for (unsigned more = 0; more < 5; more++)
            at = follow(at, steps[i], STRIDE_AHEAD_MAX);
    }
}

static void what_it_brought_is_known(void **state)
{
    uintptr_t at = 20 * PLACE;

    at = follow(follow(follow(at, 8192, 1), 8192, 1), 8192, 2);
    assert_int_equal(fault(at, LIMIT).passed, 2);
}

static void what_was_in_memory_is_passed(void **state)
{
    uintptr_t at = 21 * PLACE;

    at = follow(follow(follow(follow(at, 8192, 1), 8192, 1), 8192, 2), 8192, 4);
    at = follow(at + 2 * 8192, 8192, 8);
    at = follow(at + 9 * 8192, 8192, 1); /* too far away */
}

static void less_came_than_was_wanted(void **state)
{
    uintptr_t at = 22 * PLACE;

    at = follow(follow(follow(at, 8192, 1), 8192, 1), 8192, 2);
    assert_int_equal(fault(at, LIMIT).count, 4);
    stride_extend(at, at, 1);
    assert_int_equal(fault(at + 8192, LIMIT).count, 8);
}

static void several_are_followed_at_once(void **state)
{
    uintptr_t at[4];
    int64_t steps[4] = {8192, 12288, -8192, 20480};

    for (unsigned i = 0; i < 4; i++)
        at[i] = (30 + i) * PLACE;
    for (unsigned turn = 0; turn < 5; turn++)
        for (unsigned i = 0; i < 4; i++)
            at[i] = follow(at[i], steps[i], (uint32_t[]){1, 1, 2, 4, 8}[turn]);
}

static void other_distances_are_none(void **state)
{
    uintptr_t at = 40 * PLACE;

    for (unsigned i = 0; i < 3; i++)
        at = follow(at, 4096, 1); /* a stream */
    at = 41 * PLACE;
    for (unsigned i = 0; i < 3; i++)
        at = follow(at, 513 * 4096, 1);
    at = 42 * PLACE;
    for (unsigned i = 0; i < 4; i++)
        at = follow(at, 8192 + 8 * i, 1);
}

static void random_faults_are_none(void **state)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < 10000; i++) {
        uintptr_t address = 50 * PLACE + (random_below(&seeded, 1 << 16) << PAGE_SHIFT);
        wrong += fault(address, LIMIT).count > 1;
    }
    assert_true(wrong < 20);
}

static void the_limit_holds(void **state)
{
    uintptr_t at = 60 * PLACE;

    for (unsigned i = 0; i < 20; i++, at += 8192) {
        assert_true(fault(at, 3).count <= 3);
        stride_extend(at, at, 1);
    }
    assert_int_equal(fault(at, 1).count, 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_third_fault_makes_it_and_it_doubles),
        cmocka_unit_test(what_it_brought_is_known),
        cmocka_unit_test(what_was_in_memory_is_passed),
        cmocka_unit_test(less_came_than_was_wanted),
        cmocka_unit_test(several_are_followed_at_once),
        cmocka_unit_test(other_distances_are_none),
        cmocka_unit_test(random_faults_are_none),
        cmocka_unit_test(the_limit_holds),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
