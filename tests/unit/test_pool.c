/* SPDX-License-Identifier: MIT */
/* The object pool: who claims an object owns it alone, whoever else touches it meanwhile. */
#include "object/pool.h"

#include "cmocka_all.h"
#include "mask/mask.h"
#include "random.h"

#include <pthread.h>

#define OBJECTS 64u
#define ROUNDS  300000u

static struct random seeded;
static _Atomic uint32_t owners[OBJECTS];
static _Atomic unsigned shared;
static _Atomic bool stop;

static void own(object_t object)
{
    if (atomic_fetch_add(&owners[object], 1))
        shared++;
}

/* Frame n is that of object n. */
static void mask_again(object_t object)
{
    atomic_fetch_sub(&owners[object], 1);
    pool_add_masked(object, object);
}

/* As a thread that touches masked objects, all the time. */
static void *touch(void *argument)
{
    struct random random = {*(uint64_t *)argument};

    while (!atomic_load(&stop)) {
        object_t object = (object_t)random_below(&random, OBJECTS);
        uint64_t word = object_load(object);

        if (object_state_of(word) != OBJECT_MASKED || !object_claim(object, word))
            continue;
        own(object);
        pool_note_unmasked(1);
        mask_again(object);
    }
    return NULL;
}

static void a_masked_object_has_one_owner(void **state)
{
    uint64_t seeds[2] = {random_next(&seeded), random_next(&seeded)};
    pthread_t threads[2];
    object_t victims[8];

    for (object_t object = 0; object < OBJECTS; object++)
        pool_add_masked(object, object);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, touch, &seeds[i]), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = pool_claim_masked(victims, array_size(victims), array_size(victims));
        for (unsigned i = 0; i < count; i++)
            own(victims[i]);
        for (unsigned i = 0; i < count; i++)
            mask_again(victims[i]);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared, 0);
    assert_int_equal(pool_masked_pages(), OBJECTS);
}

static void what_is_owned_cannot_be_claimed(void **state)
{
    uint64_t word = object_load(0);

    assert_true(object_claim(0, word));
    assert_false(object_claim(0, object_load(0)));
    assert_false(object_claim_pinned(0, object_load(0)));
    pool_note_unmasked(1);
    pool_add_masked(0, 0);
}

/* That it was read ahead is known until it is touched: the touch proves that it was right. */
static void masking_keeps_the_mark_of_read_ahead(void **state)
{
    object_t object = OBJECTS;

    assert_true(object_claim(object, object_load(object)));
    pool_add(object, 1, OBJECT_AHEAD);
    assert_true(object_claim(object, object_load(object)));
    pool_add_masked(object, object);
    assert_int_equal(object_state_of(object_load(object)), OBJECT_MASKED);
    assert_true(object_load(object) & OBJECT_AHEAD);
    assert_true(object_claim(object, object_load(object)));
    pool_note_unmasked(1);
    pool_add(object, 1, 0);
    assert_false(object_load(object) & OBJECT_AHEAD);
}

#define CLEAN (objects.clean_mark)

/* Objects of two chunks became resident in turn. */
static void add_in_turn(object_t first, uint32_t count, uint64_t flags)
{
    for (object_t i = 0; i < count; i++) {
        for (object_t chunk = 0; chunk < 2; chunk++) {
            object_t object = first + chunk * CHUNK_PAGES + i;
            assert_true(object_claim(object, object_load(object)));
            pool_add(object, 1, flags);
        }
    }
}

static unsigned claim(object_t *victims, unsigned most)
{
    struct pool_wish wish = {most, most, most, most};

    return pool_claim_victims(victims, &wish);
}

static void drain(void)
{
    object_t victims[16];

    while (claim(victims, 16))
        ;
    assert_int_equal(pool_resident_count(), 0);
}

/* Of 2 x 64 clean objects an eighth is old: those of one chunk leave together, the oldest first,
 * then those of the other. */
static void clean_objects_of_a_chunk_leave_together(void **state)
{
    object_t first = CHUNK_PAGES, victims[16];

    drain();
    add_in_turn(first, 64, CLEAN);
    assert_int_equal(claim(victims, 4), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(victims[i], first + i);
    assert_int_equal(claim(victims, 16), 16);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(object_state_of(object_load(victims[i])), OBJECT_BUSY);
    for (unsigned i = 1; i < 16; i++)
        assert_true(victims[i] % CHUNK_PAGES < 16);
    assert_int_equal(object_state_of(object_load(first + 63)), OBJECT_RESIDENT);
    drain();
}

/* What has to be written, is hot or pinned stays where its age is. */
static void only_what_may_be_dropped_leaves_with_others(void **state)
{
    object_t first = 3 * CHUNK_PAGES, victims[8];

    add_in_turn(first, 1, CLEAN);
    add_in_turn(first + 1, 1, 0);
    add_in_turn(first + 2, 1, CLEAN | OBJECT_HOT);
    add_in_turn(first + 3, 29, CLEAN);
    assert_int_equal(claim(victims, 2), 2);
    assert_int_equal(victims[0], first);
    assert_int_equal(victims[1], first + 3);
    assert_int_equal(object_state_of(object_load(first + 1)), OBJECT_RESIDENT);
    assert_int_equal(object_state_of(object_load(first + 2)), OBJECT_RESIDENT);
}

/* Whoever owned a resident object for a moment puts it back: it leaves in its turn, also when it
 * was passed over meanwhile. */
static void what_is_put_back_leaves_in_its_turn(void **state)
{
    object_t first = 4 * CHUNK_PAGES + CHUNK_PAGES / 2, victims[4];
    uint64_t word;

    drain();
    for (object_t i = 0; i < 3; i++) {
        assert_true(object_claim(first + i, object_load(first + i)));
        pool_add(first + i, 1, 0);
    }
    word = object_load(first);
    assert_true(object_claim(first, word));
    pool_put_back(first, word);
    assert_true(object_load(first) == word);
    assert_int_equal(claim(victims, 1), 1);
    assert_int_equal(victims[0], first);

    word = object_load(first + 1);
    assert_true(object_claim(first + 1, word));
    assert_int_equal(claim(victims, 1), 1);
    assert_int_equal(victims[0], first + 2);
    pool_put_back(first + 1, word);
    assert_int_equal(claim(victims, 2), 1);
    assert_int_equal(victims[0], first + 1);
}

/* Victims that can be dropped count by themselves: a small step takes one of them, and more of
 * others. */
static void a_wish_limits_what_is_dropped(void **state)
{
    struct pool_wish wish = {.objects = 8, .pages = 8, .runs = 8, .drops = 2};
    object_t first = CHUNK_PAGES + 64, victims[8];

    drain();
    add_in_turn(first, 2, 0);
    add_in_turn(first + 2, 8, CLEAN);
    assert_int_equal(pool_claim_victims(victims, &wish), 6);
    wish.drops = 1;
    assert_int_equal(pool_claim_victims(victims, &wish), 1);
    drain();
}

static unsigned taken(uint64_t word)
{
    unsigned count = 0;

    for (unsigned i = 0; i < 32; i++)
        count += pool_takes_returned(word);
    return count;
}

/* Who comes back soon is hot while the hot ring has room or loses only what nobody wants; else one
 * of 16. */
static void a_hot_ring_that_loses_what_it_needs_takes_some(void **state)
{
    object_t first = CHUNK_PAGES + 128;

    drain();
    add_in_turn(first, 3, 0);
    add_in_turn(first + 3, 15, OBJECT_HOT);
    assert_int_equal(taken(OBJECT_HOT), 32);
    add_in_turn(first + 18, 1, OBJECT_HOT);
    assert_int_equal(taken(0), 2);
    for (unsigned i = 0; i < 64; i++)
        pool_note_left(0);
    assert_int_equal(taken(0), 2);
    for (unsigned i = 0; i < 64; i++)
        pool_note_left(OBJECT_HOT);
    assert_int_equal(taken(0), 32);
    drain();
}

static int set_up(void **state)
{
    const char *reason;

    if (mask_start(&reason) || object_init(5 * CHUNK_PAGES) || frame_init(CHUNK_PAGES))
        return -1;
    frame_set_budget(CHUNK_PAGES);
    return pool_set_budget(CHUNK_PAGES);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_masked_object_has_one_owner),
        cmocka_unit_test(what_is_owned_cannot_be_claimed),
        cmocka_unit_test(masking_keeps_the_mark_of_read_ahead),
        cmocka_unit_test(clean_objects_of_a_chunk_leave_together),
        cmocka_unit_test(only_what_may_be_dropped_leaves_with_others),
        cmocka_unit_test(what_is_put_back_leaves_in_its_turn),
        cmocka_unit_test(a_wish_limits_what_is_dropped),
        cmocka_unit_test(a_hot_ring_that_loses_what_it_needs_takes_some),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
