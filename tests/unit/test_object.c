/* SPDX-License-Identifier: MIT */
/* The state word: who may change it, and what stays when it changes. */
#include "object/object.h"

#include "cmocka_all.h"

#include <pthread.h>

#define ROUNDS 100000u

static void fresh_memory_is_empty(void **state)
{
    assert_int_equal(object_state_of(object_load(1)), OBJECT_EMPTY);
    assert_int_equal(object_where_of(object_load(1)), 0);
}

static void a_claim_needs_the_word_that_was_seen(void **state)
{
    uint64_t word = object_load(2);

    assert_true(object_claim(2, word));
    assert_false(object_claim(2, word));
    assert_false(object_claim(2, object_load(2))); /* what is owned */
    object_publish(2, OBJECT_RESIDENT | OBJECT_HOT, 77);
    word = object_load(2);
    assert_int_equal(object_state_of(word), OBJECT_RESIDENT);
    assert_int_equal(object_where_of(word), 77);
    assert_true(word & OBJECT_HOT);
}

static void a_pin_is_a_change_to_one_and_none_to_the_other(void **state)
{
    uint64_t word = object_load(2);

    assert_true(object_add_pin(2, word));
    assert_false(object_claim(2, word));
    assert_true(object_claim_pinned(2, word));
    object_publish(2, OBJECT_RESIDENT, 78);
    assert_int_equal(object_pins_of(object_load(2)), 1); /* pins stay */
    object_drop_pin(2);
    assert_int_equal(object_pins_of(object_load(2)), 0);
    object_drop_pin(2); /* one too many does no harm */
    assert_int_equal(object_pins_of(object_load(2)), 0);
}

static void pins_are_counted_up_to_the_most(void **state)
{
    for (unsigned i = 0; i < UINT16_MAX; i++)
        assert_true(object_add_pin(2, object_load(2)));
    assert_false(object_add_pin(2, object_load(2)));
    assert_int_equal(object_where_of(object_load(2)), 78);
    for (unsigned i = 0; i < UINT16_MAX; i++)
        object_drop_pin(2);
    assert_int_equal(object_pins_of(object_load(2)), 0);
}

static void a_write_is_ended_by_who_has_it(void **state)
{
    assert_true(object_claim(2, object_load(2)));
    object_publish(2, OBJECT_WRITING, 5);
    assert_false(object_claim(2, object_load(2)));
    assert_false(object_claim_pinned(2, object_load(2)));
    assert_true(object_discard_write(2, object_load(2)));
    assert_int_equal(object_end_write(2), OBJECT_DISCARDED);
    assert_int_equal(object_state_of(object_load(2)), OBJECT_BUSY);
    object_publish(2, OBJECT_EMPTY, 0);
}

static void what_is_clean_takes_no_pin_and_is_not_so_in_a_child(void **state)
{
    uint64_t clean = OBJECT_RESIDENT | objects.clean_mark;

    assert_true(object_is_clean(clean));
    assert_false(object_is_clean(OBJECT_RESIDENT));
    assert_true(object_claim(3, object_load(3)));
    object_publish(3, clean, 1);
    assert_false(object_add_pin(3, object_load(3)));
    object_fork_child();
    assert_false(object_is_clean(object_load(3)));
    assert_true(object_add_pin(3, object_load(3)));
    object_drop_pin(3);
    for (unsigned generation = 0; generation < 600; generation++) {
        object_fork_child();
        assert_false(object_is_clean(clean)); /* nor in any that comes later */
        assert_false(object_is_clean(OBJECT_RESIDENT));
    }
}

static _Atomic unsigned inside, together;

static void *take_turns(void *argument)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t word = object_load(4);
        if (object_state_of(word) == OBJECT_BUSY) {
            object_wait(4, word);
            continue;
        }
        if (!object_claim(4, word))
            continue;
        if (atomic_fetch_add(&inside, 1))
            atomic_fetch_add(&together, 1);
        atomic_fetch_sub(&inside, 1);
        object_publish(4, OBJECT_RESIDENT, i);
    }
    return NULL;
}

static void one_thread_owns_it_and_the_others_are_woken(void **state)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(together, 0);
    assert_int_equal(object_state_of(object_load(4)), OBJECT_RESIDENT);
}

static void live_pages_are_found_between_gone_ones(void **state)
{
    object_t at = 8;

    objects.slots[10] = SLOT_GONE;
    objects.slots[11] = SLOT_GONE;
    objects.slots[15] = SLOT_GONE;
    assert_int_equal(object_live_run(&at, 16), 2);
    assert_int_equal(at, 8);
    at = 10;
    assert_int_equal(object_live_run(&at, 16), 3);
    assert_int_equal(at, 12);
    at = 15;
    assert_int_equal(object_live_run(&at, 16), 0);
    assert_int_equal(object_live_pages(8, 8), 5);
    assert_false(object_any_live(10, 12));
    assert_true(object_any_live(10, 13));
}

static int set_up(void **state)
{
    return object_init(CHUNK_PAGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_memory_is_empty),
        cmocka_unit_test(a_claim_needs_the_word_that_was_seen),
        cmocka_unit_test(a_pin_is_a_change_to_one_and_none_to_the_other),
        cmocka_unit_test(pins_are_counted_up_to_the_most),
        cmocka_unit_test(a_write_is_ended_by_who_has_it),
        cmocka_unit_test(what_is_clean_takes_no_pin_and_is_not_so_in_a_child),
        cmocka_unit_test(one_thread_owns_it_and_the_others_are_woken),
        cmocka_unit_test(live_pages_are_found_between_gone_ones),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
