/* SPDX-License-Identifier: MIT */
/* Frames against a naive model: each is a hole, free, or in use by one, and none is lost. */
#include "object/frame.h"

#include "cmocka_all.h"
#include "mask/mask.h"
#include "random.h"

#define PAGES 1000u
#define STEPS 100000u
#define TAKEN 64u
#define RUNS  16u

enum place { HOLE, FREE, USED };

static struct random seeded;
static enum place places[2 * PAGES + 4096];
static uint32_t count;

static void expect_all(struct frame_run run, enum place place)
{
    for (uint32_t i = 0; i < run.count; i++) {
        assert_true(run.first + i < count);
        assert_int_equal(places[run.first + i], place);
    }
}

static void set_all(struct frame_run run, enum place place)
{
    for (uint32_t i = 0; i < run.count; i++)
        places[run.first + i] = place;
}

static uint64_t count_of(enum place place)
{
    uint64_t found = 0;

    for (uint32_t i = 0; i < count; i++)
        found += places[i] == place;
    return found;
}

/* Take what there is until nothing comes: that is how many frames a budget has. */
static uint32_t take_all_holes(void)
{
    struct frame_run run;
    uint32_t taken = 0;

    while ((run = frame_take_holes(UINT32_MAX)).count)
        taken += run.count;
    return taken;
}

static struct frame_run taken[TAKEN];

static void take_free(unsigned at)
{
    struct frame_run runs[RUNS];
    uint32_t wanted = (uint32_t)random_below(&seeded, 30) + 1, got = 0;
    uint64_t free = frame_free_count();
    unsigned found = frame_take_free(wanted, runs, RUNS);

    if (wanted > free)
        assert_int_equal(found, 0);
    for (unsigned i = 0; i < found; i++) {
        expect_all(runs[i], FREE);
        set_all(runs[i], USED);
        got += runs[i].count;
    }
    assert_true(!found || got == wanted);
    assert_int_equal(frame_free_count(), free - got);
    for (unsigned i = 1; i < found; i++) {
        set_all(runs[i], FREE);
        frame_put_free(runs[i]);
    }
    if (found)
        taken[at] = runs[0];
}

static void take_holes(unsigned at)
{
    uint32_t wanted = (uint32_t)random_below(&seeded, 30) + 1;
    struct frame_run run = frame_take_holes(wanted);

    assert_true(run.count <= wanted);
    assert_true(run.count || !count_of(HOLE));
    expect_all(run, HOLE);
    set_all(run, USED);
    taken[at] = run;
}

static void give_back(unsigned at)
{
    expect_all(taken[at], USED);
    if (random_below(&seeded, 2)) {
        set_all(taken[at], FREE);
        frame_put_free(taken[at]);
    } else {
        set_all(taken[at], HOLE);
        frame_put_holes(taken[at]);
    }
    taken[at].count = 0;
}

static void frames_are_where_the_model_has_them(void **state)
{
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned at = (unsigned)random_below(&seeded, TAKEN);
        if (taken[at].count)
            give_back(at);
        else if (random_below(&seeded, 2))
            take_free(at);
        else
            take_holes(at);
        assert_int_equal(frame_free_count(), count_of(FREE));
    }
    for (unsigned at = 0; at < TAKEN; at++)
        if (taken[at].count)
            give_back(at);
    assert_int_equal(count_of(USED), 0);
}

static void a_larger_budget_has_more(void **state)
{
    uint32_t before = take_all_holes();

    frame_set_budget(PAGES / 2);
    assert_int_equal(take_all_holes(), 0);
    frame_set_budget(PAGES);
    assert_true(take_all_holes() >= PAGES);
    assert_int_equal(before, count_of(HOLE));
}

static int set_up(void **state)
{
    const char *reason;

    if (mask_start(&reason) || frame_init(PAGES))
        return -1;
    frame_set_budget(PAGES / 2);
    count = take_all_holes();
    frame_put_holes((struct frame_run){0, count});
    return count < PAGES || count > array_size(places);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_where_the_model_has_them),
        cmocka_unit_test(a_larger_budget_has_more),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
