/* SPDX-License-Identifier: MIT */
/* Credits against a naive model: what is used fits in what is held, and what all hold in the limit.
 */
#include "object/credit.h"

#include "cmocka_all.h"
#include "random.h"

#include <pthread.h>

#define STEPS   200000u
#define THREADS 4
#define LIMIT   4096u
#define FLOOR   64u

static struct random seeded;
static struct ledger ledger;
static struct credit credits[2];

static void a_private_credit_is_what_it_was_set_to(void **state)
{
    struct credit credit = CREDIT_INIT;
    uint32_t held = 0, used = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t pages = (uint32_t)random_below(&seeded, 300) + 1;
        uint32_t extra = (uint32_t)random_below(&seeded, 20);
        switch (random_below(&seeded, 5)) {
        case 0:
            held = (uint32_t)random_below(&seeded, 3000);
            credit_set(&credit, held);
            break;
        case 1:
        case 2:
            if (used + pages + extra <= held) {
                used += pages;
                assert_int_equal(credit_take(&credit, pages, extra), used);
            } else {
                assert_int_equal(credit_take(&credit, pages, extra), 0);
            }
            break;
        case 3:
            pages = pages < used ? pages : used;
            credit_give(&credit, pages);
            used -= pages;
            break;
        default:
            used += pages;
            assert_int_equal(credit_take_beyond(&credit, pages, extra), used);
            credit_give(&credit, pages);
            used -= pages;
        }
        assert_int_equal(credit_held(&credit), held);
        assert_int_equal(credit_used(&credit), used);
        assert_int_equal(credit_room(&credit, extra), (int64_t)held - used - extra);
    }
}

static int share(void **state)
{
    ledger = (struct ledger){.limit = LIMIT};
    for (unsigned member = 0; member < 2; member++) {
        credits[member] = (struct credit)CREDIT_INIT;
        assert_true(ledger_take(&ledger, member, FLOOR));
        credit_borrow_from(&credits[member], &ledger, member, FLOOR);
    }
    return 0;
}

static void expect_sound(const uint32_t *used)
{
    uint64_t total = 0;

    for (unsigned member = 0; member < 2; member++) {
        assert_int_equal(credit_used(&credits[member]), used[member]);
        assert_true(credit_held(&credits[member]) >= used[member]);
        assert_true(credit_held(&credits[member]) >= FLOOR);
        assert_int_equal(ledger_held(&ledger, member), credit_held(&credits[member]));
        total += ledger_held(&ledger, member);
    }
    assert_int_equal(ledger_total(&ledger), total);
    assert_true(total <= LIMIT);
}

static void two_members_borrow_from_one_ledger(void **state)
{
    uint32_t used[2] = {0, 0};
    unsigned refused = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        unsigned member = (unsigned)random_below(&seeded, 2);
        struct credit *credit = &credits[member];
        uint32_t pages = (uint32_t)random_below(&seeded, 400) + 1;
        switch (random_below(&seeded, 4)) {
        case 0:
        case 1: {
            int64_t free = ledger_free(&ledger);
            bool fits = used[member] + pages <= credit_held(credit) + (uint64_t)free;
            uint32_t now = credit_take(credit, pages, 0);
            assert_int_equal(now, fits ? used[member] + pages : 0);
            used[member] += fits ? pages : 0;
            refused += !fits;
            break;
        }
        case 2:
            pages = pages < used[member] ? pages : used[member];
            credit_give(credit, pages);
            used[member] -= pages;
            credit_settle(credit, 0);
            break;
        default:
            credit_return(credit, 0);
            assert_int_equal(credit_held(credit), used[member] > FLOOR ? used[member] : FLOOR);
        }
        expect_sound(used);
    }
    assert_true(refused > 0);
}

static void what_is_beyond_the_limit_is_to_be_given_back(void **state)
{
    uint32_t used = credit_take_beyond(&credits[0], LIMIT + 100, 0);

    assert_int_equal(used, LIMIT + 100);
    assert_int_equal(ledger_free(&ledger), -(int64_t)(FLOOR + 100));
    assert_true(credit_room(&credits[0], 0) < 0);
    assert_int_equal(credit_take(&credits[1], FLOOR + 1, 0), 0);
    credit_give(&credits[0], LIMIT + 100);
    credit_return(&credits[0], 0);
    assert_int_equal(ledger_total(&ledger), 2 * FLOOR);
}

/* Each thread takes and gives; in the end all is given back. */
static void *take_and_give(void *argument)
{
    struct random random = {*(uint64_t *)argument};
    uint32_t mine = 0;

    for (unsigned i = 0; i < STEPS / 4; i++) {
        struct credit *credit = &credits[random_below(&random, 2)];
        uint32_t pages = (uint32_t)random_below(&random, 200) + 1;
        if (credit_take(credit, pages, 0)) {
            assert_true(ledger_total(&ledger) <= LIMIT);
            credit_give(credit, pages);
            mine++;
        }
        if (i % 16 == 0)
            credit_settle(credit, 0);
        if (i % 64 == 0)
            credit_return(credit, 0);
    }
    return mine ? NULL : argument;
}

static void threads_keep_the_limit(void **state)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    uint32_t none[2] = {0, 0};

    for (int i = 0; i < THREADS; i++) {
        seeds[i] = random_next(&seeded);
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &seeds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    expect_sound(none);
}

static void what_is_missing_comes_bit_by_bit(void **state)
{
    uint32_t most = LIMIT - FLOOR - 32, missing = 200;

    assert_int_equal(credit_take(&credits[0], most, 0), most);
    assert_int_equal(ledger_free(&ledger), 16);
    credit_settle(&credits[1], missing);
    assert_int_equal(credit_held(&credits[1]), FLOOR + 16);
    assert_int_equal(ledger_free(&ledger), 0);
    assert_int_equal(credit_take(&credits[1], 1, missing), 0);
    credit_give(&credits[0], 1000);
    credit_settle(&credits[0], 0);
    credit_settle(&credits[1], missing);
    assert_true(credit_held(&credits[1]) >= missing);
    assert_int_equal(ledger_held(&ledger, 1), credit_held(&credits[1]));
    assert_true(ledger_free(&ledger) >= 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_private_credit_is_what_it_was_set_to),
        cmocka_unit_test_setup(two_members_borrow_from_one_ledger, share),
        cmocka_unit_test_setup(what_is_beyond_the_limit_is_to_be_given_back, share),
        cmocka_unit_test_setup(what_is_missing_comes_bit_by_bit, share),
        cmocka_unit_test_setup(threads_keep_the_limit, share),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
