/* SPDX-License-Identifier: MIT */
/* Who is asked to give way in a pool: the choice, from what members say of themselves; and what
 * they say: ages of tails, and that what they hold is used. */
#include "object/age.h"
#include "object/asked.h"
#include "object/sharing.h"

#include "base/fd.h"
#include "cmocka_all.h"

#include <sys/mman.h>
#include <unistd.h>

#define RAM   (64 * MIB)
#define PAGES (uint32_t)(RAM / PAGE_SIZE)
#define FILL  (PAGES / AGE_STEP)
#define SHARE 64u
#define NOW   (100 * FILL)

/* Members of the pool: this process, and others that are not processes. */
static struct pool_file *file;
static unsigned own;

static int set_up(void **state)
{
    const char *reason;
    int fd = memfd_create("test-pool", MFD_CLOEXEC);

    assert_int_equal(pool_file_make(fd, RAM, SHARE * PAGE_SIZE), 0);
    assert_int_equal(pool_file_map(fd, &file, &reason), 0);
    assert_int_equal(sharing_join(fd_move_high(fd), file), 0);
    assert_int_equal(age_init(), 0);
    own = sharing_own();
    return 0;
}

/* A member that holds so many pages, whose tail has this age; 0 pages: none. */
static void be(unsigned member, uint32_t held, uint32_t age, bool hot)
{
    struct pool_member *place = &file->members[member];

    if (atomic_load(&file->count) <= member)
        atomic_store(&file->count, member + 1);
    ledger_give(&file->pages, member, (uint32_t)ledger_held(&file->pages, member));
    ledger_take_beyond(&file->pages, member, held);
    atomic_store(&place->state, held ? POOL_TAKEN : POOL_FREE);
    atomic_store(&place->share, SHARE);
    atomic_store(&place->tail, NOW - age);
    atomic_store(&place->used, NOW - 10 * FILL);
    atomic_store(&place->active, NOW - age);
    atomic_store(&place->tail_is_hot, hot);
    atomic_store(&place->wanted, 0);
    atomic_store(&file->epoch, NOW);
}

static void alone_again(void)
{
    be(1, 0, 0, false);
    be(2, 0, 0, false);
}

static void nobody_is_asked_by_one_that_is_alone(void **state)
{
    alone_again();
    be(0, PAGES, 500, false);
    assert_int_equal(asked_find(file, 0), POOL_MEMBERS);
}

static void the_oldest_is_asked(void **state)
{
    be(0, PAGES / 3, 10, false);
    be(1, PAGES / 3, 100, false);
    be(2, PAGES / 3, 200, false);
    assert_int_equal(asked_find(file, 0), 2);
    assert_int_equal(asked_find(file, 1), 2);
    assert_int_equal(asked_find(file, 2), POOL_MEMBERS);
    be(2, PAGES / 3, 101, false);
    assert_int_equal(asked_find(file, 1), POOL_MEMBERS); /* older, but not by enough */
    alone_again();
}

static void hot_objects_count_as_younger(void **state)
{
    be(0, PAGES / 3, 10, false);
    be(1, PAGES / 3, 160, true);
    be(2, PAGES / 3, 30, false);
    assert_int_equal(asked_find(file, 0), 2);
    alone_again();
}

/* Its tail is old, for it has no faults; but what it has is used. */
static void what_is_used_is_not_old(void **state)
{
    be(0, PAGES / 2, 10, false);
    be(1, PAGES / 2, 8 * FILL, false);
    assert_int_equal(asked_age(file, &file->members[1]), 8 * FILL);
    assert_int_equal(asked_find(file, 0), 1);
    atomic_store(&file->members[1].used, NOW - 1);
    assert_int_equal(asked_age(file, &file->members[1]), 1);
    assert_int_equal(asked_find(file, 0), POOL_MEMBERS);
    assert_int_equal(asked_find(file, 1), 0);
    alone_again();
}

static void a_share_is_never_asked_for(void **state)
{
    be(0, PAGES / 2, 10, false);
    be(1, SHARE, 8 * FILL, false);
    assert_int_equal(asked_find(file, 0), POOL_MEMBERS);
    be(1, SHARE + 1, 8 * FILL, false);
    assert_int_equal(asked_find(file, 0), 1);
    alone_again();
}

/* One that holds less than its part asks who holds more, however young that is; not the other way
 * round, unless that is idle: it has taken no memory, and none is known to be used. */
static void one_that_scans_does_not_take_the_part_of_another(void **state)
{
    be(0, PAGES / 4, FILL / 2, false);
    be(1, PAGES / 4 * 3, 1, false);
    assert_true(asked_is_modest(file, 0));
    assert_false(asked_is_modest(file, 1));
    assert_int_equal(asked_find(file, 0), 1);
    be(2, PAGES / 4, 1, false); /* the part of 1 is a half now */
    assert_int_equal(asked_find(file, 1), POOL_MEMBERS);
    be(0, PAGES / 4, 3 * FILL, false);
    assert_int_equal(asked_find(file, 1), 0);
    atomic_store(&file->members[0].active, NOW - FILL);
    assert_int_equal(asked_find(file, 1), POOL_MEMBERS);
    be(0, PAGES / 4, 3 * FILL, false);
    atomic_store(&file->members[0].used, NOW - FILL);
    assert_int_equal(asked_find(file, 1), POOL_MEMBERS);
    alone_again();
}

static void one_that_does_not_answer_is_passed_over(void **state)
{
    be(0, PAGES / 3, 10, false);
    be(1, PAGES / 3, 100, false);
    be(2, PAGES / 3, 200, false);
    pool_file_ask(file, 2, 10);
    assert_false(asked_is_silent(&file->members[2]));
    assert_int_equal(asked_find(file, 0), 2);
    usleep(2 * ASKED_PATIENCE_MS * 1000);
    assert_true(asked_is_silent(&file->members[2]));
    assert_int_equal(asked_find(file, 0), 1);
    atomic_store(&file->members[2].wanted, 0);
    assert_int_equal(asked_find(file, 0), 2);
    alone_again();
}

/* Used once while the pool is filled once: half of a sample in half of that time. */
static void a_sample_says_how_often_memory_is_used(void **state)
{
    assert_int_equal(asked_fill(file), FILL);
    assert_true(asked_in_use(file, 256, 128, FILL / 2));
    assert_false(asked_in_use(file, 256, 127, FILL / 2));
    assert_true(asked_in_use(file, 256, 32, FILL / 8));
    assert_false(asked_in_use(file, 256, 0, 0));
    assert_true(asked_in_use(file, 256, 1, 0));
    assert_false(asked_in_use(file, UINT32_MAX, 1, UINT32_MAX));
}

/* ---- What a member says ---- */

static struct ring ring_of(uint32_t capacity)
{
    static uint32_t entries[4096];

    return (struct ring){entries, capacity, 0, 0};
}

static void a_tail_is_as_old_as_its_first_entry(void **state)
{
    struct pool_member *place = &file->members[own];
    struct ring ring = ring_of(4096);

    atomic_store(&file->epoch, 1000);
    for (uint32_t i = 0; i < 1024; i++)
        if (ring_push(&ring, i) % AGE_STEP == 0)
            age_note(&ring, false, i);
    assert_int_equal(atomic_load(&file->epoch), 1000 + 1024 / AGE_STEP);
    age_publish(&ring, false);
    assert_int_equal(atomic_load(&place->tail), 1000);
    ring.head = 5 * AGE_STEP + 3;
    age_publish(&ring, false);
    assert_int_equal(atomic_load(&place->tail), 1005);
    ring.head = ring.tail;
    age_publish(&ring, true);
    assert_int_equal(atomic_load(&place->tail), atomic_load(&file->epoch));
    assert_int_equal(atomic_load(&place->tail_is_hot), 1);
}

static void touches_say_that_memory_is_used(void **state)
{
    struct pool_member *place = &file->members[own];

    atomic_store(&file->epoch, NOW);
    age_touched(AGE_STEP, 0); /* from here on */
    atomic_store(&place->used, 0);
    atomic_store(&file->epoch, NOW + FILL / 8);
    age_touched(AGE_STEP - 1, 256);
    assert_int_equal(atomic_load(&place->used), 0);
    age_touched(1, 256);
    assert_int_equal(atomic_load(&place->used), NOW + FILL / 8);
    /* The same number in forty times the time is none. */
    atomic_store(&file->epoch, NOW + 5 * FILL);
    age_touched(AGE_STEP, 256);
    assert_int_equal(atomic_load(&place->used), NOW + FILL / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_asked_by_one_that_is_alone),
        cmocka_unit_test(the_oldest_is_asked),
        cmocka_unit_test(hot_objects_count_as_younger),
        cmocka_unit_test(what_is_used_is_not_old),
        cmocka_unit_test(a_share_is_never_asked_for),
        cmocka_unit_test(one_that_scans_does_not_take_the_part_of_another),
        cmocka_unit_test(one_that_does_not_answer_is_passed_over),
        cmocka_unit_test(a_sample_says_how_often_memory_is_used),
        cmocka_unit_test(a_tail_is_as_old_as_its_first_entry),
        cmocka_unit_test(touches_say_that_memory_is_used),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
