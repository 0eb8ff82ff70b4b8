/* SPDX-License-Identifier: MIT */
/* What was learned decides how to wait, and changes with what is learned next. */
#include "cmocka_all.h"

#include "store/spin.h"

#define WAITS 20000
#define US    1000

/* Waits as they are chosen, each of which takes so long, and one of 100 asleep much longer perhaps;
 * how many of the last tenth looked. */
static unsigned wait_with_some(uint64_t asleep_ns, uint64_t hundredth_ns, uint64_t looking_ns)
{
    unsigned looked = 0, slept = 0;

    for (unsigned i = 0; i < WAITS; i++) {
        bool spin = spin_choose();
        uint64_t asleep = ++slept % 100 ? asleep_ns : hundredth_ns;

        slept -= spin;
        spin_learn(spin, spin ? looking_ns : 0, spin ? looking_ns : asleep);
        looked += spin && i >= WAITS - WAITS / 10;
    }
    return looked;
}

static unsigned wait_often(uint64_t asleep_ns, uint64_t looking_ns)
{
    return wait_with_some(asleep_ns, asleep_ns, looking_ns);
}

static void sleeps_where_that_takes_no_longer(void **state)
{
    assert_in_range(wait_often(30 * US, 30 * US), 1, WAITS / 100);
}

static void looks_where_that_is_shorter(void **state)
{
    assert_in_range(wait_often(60 * US, 30 * US), WAITS / 10 * 9 / 10, WAITS / 10);
}

static void sleeps_again_when_it_is_not_any_more(void **state)
{
    assert_in_range(wait_often(30 * US, 60 * US), 1, WAITS / 100);
}

/* On a host that is late now and then. */
static void looks_where_few_take_long_asleep(void **state)
{
    assert_in_range(wait_with_some(30 * US, 3000 * US, 30 * US), WAITS / 10 * 9 / 10, WAITS / 10);
}

/* A thread that looks was not running for a part of it: others want the processor. */
static void sleeps_where_others_want_the_processor(void **state)
{
    wait_often(60 * US, 30 * US);
    for (unsigned i = 0; i < 3000; i++)
        spin_learn(true, i % 50 ? 30 * US : 3000 * US, 30 * US);
    for (unsigned i = 0; i < 100; i++)
        assert_false(spin_choose());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeps_where_that_takes_no_longer),
        cmocka_unit_test(looks_where_that_is_shorter),
        cmocka_unit_test(sleeps_again_when_it_is_not_any_more),
        cmocka_unit_test(looks_where_few_take_long_asleep),
        cmocka_unit_test(sleeps_where_others_want_the_processor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
