/* SPDX-License-Identifier: MIT */
/* The ring against a list of what was pushed, also where sequence numbers wrap. */
#include "base/ring.h"

#include "cmocka_all.h"
#include "random.h"

#define CAPACITY 16

static struct random seeded;
static uint32_t entries[CAPACITY];

/* A ring whose next entry has this sequence number. */
static struct ring ring_from(uint32_t sequence)
{
    struct ring ring;

    ring_init(&ring, entries, CAPACITY);
    ring.head = ring.tail = sequence;
    return ring;
}

static void entries_leave_in_the_order_they_came(void **state)
{
    struct ring ring = ring_from(0);
    struct ring_entry entry;

    for (uint32_t i = 0; i < CAPACITY; i++)
        assert_int_equal(ring_push(&ring, 100 + i), i);
    assert_true(ring_full(&ring));
    for (uint32_t i = 0; i < CAPACITY; i++) {
        assert_true(ring_pop(&ring, &entry));
        assert_int_equal(entry.value, 100 + i);
        assert_int_equal(entry.sequence, i);
    }
    assert_false(ring_pop(&ring, &entry));
}

static void a_chunk_is_a_progression(void **state)
{
    struct ring ring = ring_from(UINT32_MAX - 1);
    struct ring_entry out[CAPACITY];

    assert_int_equal(ring_push_chunk(&ring, 1000, 16, 5), UINT32_MAX - 1);
    assert_int_equal(ring_pop_chunk(&ring, out, CAPACITY), 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(out[i].value, 1000 + 16 * i);
        assert_int_equal(out[i].sequence, (uint32_t)(UINT32_MAX - 1 + i));
    }
}

static void an_entry_is_stale_when_its_number_was_pushed_again(void **state)
{
    struct ring ring = ring_from(0);
    struct ring_entry entry;
    uint32_t current;

    ring_push(&ring, 7);
    current = ring_push(&ring, 7);
    assert_true(ring_pop(&ring, &entry));
    assert_int_not_equal(entry.sequence, current);
    assert_true(ring_pop(&ring, &entry));
    assert_int_equal(entry.sequence, current);
}

/* Push and pop at random from this sequence number on; what the nth entry holds follows from n. */
static void run_from(uint32_t start)
{
    struct ring ring = ring_from(start);
    struct ring_entry out[CAPACITY];
    uint32_t pushed = 0;
    uint32_t popped = 0;

    for (int step = 0; step < 10000; step++) {
        uint32_t room = CAPACITY - (pushed - popped);
        uint32_t count = (uint32_t)random_below(&seeded, room + 1);
        assert_int_equal(ring_push_chunk(&ring, pushed * 3, 3, count), (uint32_t)(start + pushed));
        pushed += count;
        assert_int_equal(ring_count(&ring), pushed - popped);
        assert_int_equal(ring_full(&ring), pushed - popped == CAPACITY);

        uint32_t want = (uint32_t)random_below(&seeded, CAPACITY + 1);
        uint32_t got = ring_pop_chunk(&ring, out, want);
        assert_int_equal(got, want < pushed - popped ? want : pushed - popped);
        for (uint32_t i = 0; i < got; i++, popped++) {
            assert_int_equal(out[i].value, popped * 3);
            assert_int_equal(out[i].sequence, (uint32_t)(start + popped));
        }
    }
}

static void random_use_matches_what_was_pushed(void **state)
{
    run_from(0);
    run_from(UINT32_MAX - 5000);
    run_from((uint32_t)random_next(&seeded));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_leave_in_the_order_they_came),
        cmocka_unit_test(a_chunk_is_a_progression),
        cmocka_unit_test(an_entry_is_stale_when_its_number_was_pushed_again),
        cmocka_unit_test(random_use_matches_what_was_pushed),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
