/* SPDX-License-Identifier: MIT */
/* Slots against a naive model; bounds on what is touched; children of fork that are killed. */
#include "store/slot.h"

#include "base/meta.h"
#include "cmocka_all.h"
#include "random.h"
#include "store/member.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNITS 24u
#define SLOTS (UNITS * UNIT_SLOTS)
#define RUN   256u

static struct random seeded;

/* A child of fork that holds what its parent did. */
struct sharer {
    pid_t process;
    bool holds[SLOTS];
};

#define SHARERS 3

/* What the model knows: who holds a slot, and whether it is in service. */
static struct {
    bool holds[SLOTS];
    struct sharer sharers[SHARERS];
    bool in_service[SLOTS];
    bool retired[SLOTS];
    bool unit_absent[UNITS];
    bool unit_closed[UNITS];
} model;

static unsigned model_references(slot_t slot)
{
    unsigned count = model.holds[slot];

    for (unsigned i = 0; i < SHARERS; i++)
        count += model.sharers[i].holds[slot];
    return count;
}

static bool model_is_free(slot_t slot)
{
    return model.in_service[slot] && model_references(slot) == 0;
}

/* A slot lost a reference. */
static void model_dropped(slot_t slot)
{
    if (model_references(slot) == 0 && model.unit_closed[slot / UNIT_SLOTS])
        model.in_service[slot] = false;
}

static unsigned model_count(bool free)
{
    unsigned count = 0;

    for (slot_t slot = 0; slot < SLOTS; slot++)
        count += free ? model_is_free(slot) : model_references(slot) > 0;
    return count;
}

static void model_exclude(slot_t slot)
{
    model.retired[slot] = true;
    slot_exclude(slot, 1);
}

static int set_up(void **state)
{
    memset(&model, 0, sizeof(model));
    memset(model.unit_absent, 1, sizeof(model.unit_absent));
    if (member_start() || slot_start(SLOTS))
        return -1;
    model_exclude(0);
    return 0;
}

static int tear_down(void **state)
{
    slot_stop();
    member_stop();
    return 0;
}

static void add_units(uint32_t first, uint32_t count)
{
    for (slot_t slot = first * UNIT_SLOTS; slot < (first + count) * UNIT_SLOTS; slot++)
        model.in_service[slot] = !model.retired[slot];
    memset(&model.unit_absent[first], 0, count);
    slot_add_units(first, count);
}

static void take(unsigned want)
{
    slot_t first;
    unsigned count = 0;
    int error = slot_take(want, &first, &count);

    if (error) {
        assert_int_equal(error, -ENOSPC);
        assert_int_equal(model_count(true), 0);
        return;
    }
    assert_in_range(count, 1, want);
    for (unsigned i = 0; i < count; i++) {
        assert_true(model_is_free(first + i));
        model.holds[first + i] = true;
    }
}

/* Up to 64 slots from a random one on that this process holds; holes are SLOT_NONE. */
static size_t pick_held(slot_t slots[64])
{
    slot_t first = (slot_t)random_below(&seeded, SLOTS - 64);

    for (unsigned i = 0; i < 64; i++)
        slots[i] = model.holds[first + i] && random_below(&seeded, 4) ? first + i : SLOT_NONE;
    return 1 + random_below(&seeded, 64);
}

static void drop_some(void)
{
    slot_t slots[64];
    size_t count = pick_held(slots);

    slot_drop_references(slots, count);
    for (size_t i = 0; i < count; i++) {
        if (slots[i] == SLOT_NONE)
            continue;
        model.holds[slots[i]] = false;
        model_dropped(slots[i]);
    }
}

/* A child that does nothing; it has all that this process has. */
static pid_t fork_sharer(void)
{
    unsigned member;
    pid_t child;

    assert_int_equal(member_fork_prepare(&member), 0);
    slot_share(member);
    child = fork();
    if (child == 0) {
        member_fork_child();
        alarm(60);
        pause();
    }
    member_fork_parent();
    return child;
}

static void kill_sharer(struct sharer *sharer)
{
    kill(sharer->process, SIGKILL);
    waitpid(sharer->process, NULL, 0);
    slot_reap(MEMBERS_MAX);
    sharer->process = 0;
    for (slot_t slot = 0; slot < SLOTS; slot++) {
        bool held = sharer->holds[slot];

        sharer->holds[slot] = false;
        if (held)
            model_dropped(slot);
    }
}

static void share_or_kill(void)
{
    struct sharer *sharer = &model.sharers[random_below(&seeded, SHARERS)];

    if (sharer->process) {
        kill_sharer(sharer);
        return;
    }
    sharer->process = fork_sharer();
    memcpy(sharer->holds, model.holds, sizeof(model.holds));
}

static void retire_one(void)
{
    slot_t slot = (slot_t)random_below(&seeded, SLOTS);

    if (!model.holds[slot] || model_references(slot) != 1)
        return;
    slot_retire(slot, 1);
    model.holds[slot] = false;
    model.retired[slot] = true;
    model.in_service[slot] = false;
}

static bool model_unit_is_free(uint32_t unit)
{
    bool free = !model.unit_absent[unit] && !model.unit_closed[unit];

    for (slot_t slot = unit * UNIT_SLOTS; slot < (unit + 1) * UNIT_SLOTS; slot++)
        free &= model_references(slot) == 0;
    return free;
}

static void withdraw(uint32_t max)
{
    uint32_t first, expected = UNITS;
    uint32_t count = slot_withdraw_units(0, UNITS, max, &first);

    while (expected > 0 && !model_unit_is_free(expected - 1))
        expected--;
    assert_int_equal(count > 0, expected > 0);
    assert_true(count <= max);
    if (count > 0)
        assert_int_equal(first + count, expected);
    for (uint32_t unit = first; unit < first + count; unit++) {
        assert_true(model_unit_is_free(unit));
        model.unit_absent[unit] = true;
        memset(&model.in_service[unit * UNIT_SLOTS], 0, UNIT_SLOTS);
    }
}

static void add_absent(void)
{
    uint32_t first;
    uint32_t count = slot_absent_units(0, UNITS, 3, &first);

    assert_int_equal(count > 0, memchr(model.unit_absent, 1, UNITS) != NULL);
    if (count > 0)
        add_units(first, count);
}

static void close_unit(void)
{
    uint32_t unit = (uint32_t)random_below(&seeded, UNITS);

    if (model.unit_absent[unit] || model.unit_closed[unit])
        return;
    slot_close_units(unit, unit + 1);
    model.unit_closed[unit] = true;
    for (slot_t slot = unit * UNIT_SLOTS; slot < (unit + 1) * UNIT_SLOTS; slot++)
        model.in_service[slot] = model_references(slot) > 0;
}

static void compare(void)
{
    unsigned in_service = 0;

    for (slot_t slot = 0; slot < SLOTS; slot++) {
        in_service += model.in_service[slot];
        if (model_references(slot) > 0)
            assert_int_equal(slot_references(slot), model_references(slot));
    }
    assert_int_equal(slot_used(), model_count(false));
    assert_int_equal(slot_in_service(), in_service);
    assert_int_equal(slot_available(), model_count(true));
}

static void random_use_matches_the_model(void **state)
{
    model_exclude(SLOTS - 1);
    for (unsigned step = 0; step < 30000; step++) {
        switch (random_below(&seeded, step % 4000 == 0 ? 8 : 7)) {
        case 0:
        case 1:
            take(1 + (unsigned)random_below(&seeded, RUN));
            break;
        case 2:
        case 3:
        case 4:
            drop_some();
            break;
        case 5:
            if (random_below(&seeded, 20) == 0)
                share_or_kill();
            break;
        case 6:
            if (random_below(&seeded, 50) == 0)
                withdraw(1 + (uint32_t)random_below(&seeded, 4));
            else if (random_below(&seeded, 50) == 0)
                retire_one();
            else if (random_below(&seeded, 10) == 0)
                add_absent();
            break;
        default:
            close_unit();
        }
        if (step % 500 == 0)
            compare();
    }
    compare();
    for (unsigned i = 0; i < SHARERS; i++)
        if (model.sharers[i].process)
            kill_sharer(&model.sharers[i]);
    compare();
}

static void nothing_is_handed_out_that_is_not_in_service(void **state)
{
    slot_t first;
    unsigned count;

    assert_int_equal(slot_take(1, &first, &count), -ENOSPC);
    add_units(3, 1);
    assert_int_equal(slot_take(RUN, &first, &count), 0);
    assert_int_equal(first, 3 * UNIT_SLOTS);
    assert_int_equal(count, RUN);
}

static void runs_are_appended_and_then_reused(void **state)
{
    slot_t first;
    unsigned count;

    add_units(0, UNITS);
    for (slot_t expected = 1; expected < SLOTS; expected += RUN) {
        assert_int_equal(slot_take(RUN, &first, &count), 0);
        assert_int_equal(first, expected);
        assert_int_equal(count, expected + RUN < SLOTS ? RUN : SLOTS - expected);
    }
    assert_int_equal(slot_take(1, &first, &count), -ENOSPC);
    for (slot_t slot = 1000; slot < 1010; slot++)
        slot_drop_references(&slot, 1);
    assert_int_equal(slot_take(RUN, &first, &count), 0);
    assert_int_equal(first, 1000);
    assert_int_equal(count, 10);
}

/* Up to 64 MiB live, much more than that is taken over time and dropped in random order, in a file
 * of 8 GiB. */
static void a_small_set_does_not_march_through_a_large_file(void **state)
{
    enum { LIVE = 16384, TURNS = 20000 };
    static slot_t live[LIVE];
    unsigned alive = 0;
    uint64_t charged;

    slot_stop();
    assert_int_equal(slot_start(8 * GIB / PAGE_SIZE), 0);
    slot_exclude(0, 1);
    slot_add_units(0, 4096);
    charged = meta_charged();
    for (unsigned turn = 0; turn < TURNS; turn++) {
        unsigned want = 1 + (unsigned)random_below(&seeded, RUN);
        unsigned count;
        slot_t first;

        while (alive + want > LIVE) {
            slot_t *it = &live[random_below(&seeded, alive)];

            slot_drop_references(it, 1);
            *it = live[--alive];
        }
        assert_int_equal(slot_take(want, &first, &count), 0);
        while (count > 0)
            live[alive++] = first + --count;
    }
    /* Half again of 64 MiB and 64 MiB, at two bits a page and eight bytes a unit; what this process
     * holds is counted in pages. */
    assert_in_range(meta_charged() - charged, 1, 160 * MIB / PAGE_SIZE * 17 / 64 + PAGE_SIZE);
}

/* The bits of shared slots take memory while some are shared, and none before or after. */
static void sharing_takes_memory_while_it_lasts(void **state)
{
    static slot_t slots[8 * UNIT_SLOTS];
    struct sharer sharer = {0};
    uint64_t before;
    uint32_t first;
    slot_t run;
    unsigned count;

    add_units(0, UNITS);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(slot_take(RUN, &run, &count), 0);
        for (unsigned k = 0; k < count; k++)
            slots[i * RUN + k] = run + k;
    }
    before = meta_charged();
    sharer.process = fork_sharer();
    assert_int_equal(meta_charged() - before, 9 * UNIT_SLOTS / 8);
    slot_drop_references(slots, 15 * RUN);
    assert_int_equal(slot_used(), 16 * RUN);
    kill(sharer.process, SIGKILL);
    waitpid(sharer.process, NULL, 0);
    slot_reap(MEMBERS_MAX);
    assert_int_equal(meta_charged(), before);
    assert_int_equal(slot_used(), RUN);
    slot_drop_references(slots + 15 * RUN, RUN);
    assert_int_equal(slot_withdraw_units(0, UNITS, UNITS, &first), UNITS);
    assert_int_equal(first, 0);
    assert_int_equal(slot_in_service(), 0);
}

/* Takes and drops without end. */
static _Noreturn void churn(uint64_t seed)
{
    struct random random = {seed};
    slot_t held[16][RUN];
    unsigned counts[16] = {0};

    for (;;) {
        unsigned i = (unsigned)random_below(&random, 16);

        slot_drop_references(held[i], counts[i]);
        if (slot_take(1 + (unsigned)random_below(&random, RUN), &held[i][0], &counts[i]))
            counts[i] = 0;
        for (unsigned k = 1; k < counts[i]; k++)
            held[i][k] = held[i][0] + k;
    }
}

/* All that is free can be taken, nothing twice, and it adds up. */
static void check_tables(void)
{
    static bool seen[SLOTS];
    uint64_t available = slot_available();
    uint64_t taken = 0;
    unsigned used = 0;
    slot_t first;
    unsigned count;

    memset(seen, 0, sizeof(seen));
    for (slot_t slot = 1; slot < SLOTS; slot++)
        used += slot_references(slot) > 0;
    assert_int_equal(slot_used(), used);
    while (slot_take(RUN, &first, &count) == 0) {
        for (unsigned i = 0; i < count; i++) {
            assert_false(seen[first + i]);
            seen[first + i] = true;
        }
        taken += count;
    }
    assert_int_equal(taken, available);
    for (slot_t slot = 0; slot < SLOTS; slot++)
        if (seen[slot])
            slot_drop_references(&slot, 1);
}

static pid_t fork_churner(void)
{
    uint64_t seed = random_next(&seeded);
    unsigned member;
    pid_t child;

    assert_int_equal(member_fork_prepare(&member), 0);
    slot_share(member);
    child = fork();
    if (child == 0) {
        member_fork_child();
        churn(seed);
    }
    member_fork_parent();
    return child;
}

/* Whatever they were at: all that they held is free again, and nothing else. */
static void killed_children_give_everything_back(void **state)
{
    slot_t first;
    unsigned count;

    add_units(0, UNITS);
    assert_int_equal(slot_take(RUN, &first, &count), 0);
    for (unsigned round = 0; round < 60; round++) {
        pid_t children[2];

        for (unsigned i = 0; i < 2; i++)
            children[i] = fork_churner();
        usleep((useconds_t)random_below(&seeded, 3000));
        for (unsigned i = 0; i < 2; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
        slot_reap(MEMBERS_MAX);
        assert_int_equal(slot_used(), count);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(slot_references(first + i), 1);
        check_tables();
    }
}

/* Without anybody having looked for the dead before. */
static void what_the_dead_held_can_be_taken(void **state)
{
    slot_t first;
    unsigned count, taken = 0;
    struct sharer sharer = {0};

    add_units(0, 1);
    while (taken < UNIT_SLOTS - 1) {
        assert_int_equal(slot_take(RUN, &first, &count), 0);
        taken += count;
    }
    sharer.process = fork_sharer();
    for (slot_t slot = 1; slot < UNIT_SLOTS; slot++)
        slot_drop_references(&slot, 1);
    assert_int_equal(slot_take(RUN, &first, &count), -ENOSPC);
    kill(sharer.process, SIGKILL);
    waitpid(sharer.process, NULL, 0);
    assert_int_equal(slot_take(RUN, &first, &count), 0);
}

static void reap_until(slot_t slot, unsigned references)
{
    for (unsigned look = 0; look < 5000 && slot_references(slot) > references; look++) {
        usleep(1000);
        slot_reap(MEMBERS_MAX);
    }
    assert_int_equal(slot_references(slot), references);
}

/* The child lives on with what it has; then it dies, too. */
static void a_grandchild_keeps_what_it_was_given(void **state)
{
    slot_t first;
    unsigned count;
    pid_t child;
    int ends[2];
    unsigned member;

    add_units(0, 1);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(slot_take(RUN, &first, &count), 0);
    assert_int_equal(member_fork_prepare(&member), 0);
    slot_share(member);
    child = fork();
    if (child == 0) {
        member_fork_child();
        child = fork_sharer();
        _exit(write(ends[1], &child, sizeof(child)) != sizeof(child));
    }
    member_fork_parent();
    waitpid(child, NULL, 0);
    assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
    /* The grandchild has its parent's description, too, until it has run its part of the fork. */
    reap_until(first, 2);
    kill(child, SIGKILL);
    reap_until(first, 1);
    close(ends[0]);
    close(ends[1]);
}

static void *take_and_drop(void *argument)
{
    struct random random = {*(uint64_t *)argument};

    for (unsigned i = 0; i < 20000; i++) {
        slot_t slots[RUN];
        unsigned count;

        if (slot_take(1 + (unsigned)random_below(&random, RUN), &slots[0], &count))
            continue;
        for (unsigned k = 0; k < count; k++) {
            slots[k] = slots[0] + k;
            if (slot_references(slots[k]) != 1)
                abort();
        }
        slot_drop_references(slots, count);
    }
    return NULL;
}

static void threads_share_the_tables(void **state)
{
    pthread_t threads[4];
    uint64_t seeds[4];

    add_units(0, UNITS);
    for (unsigned i = 0; i < 4; i++) {
        seeds[i] = random_next(&seeded);
        pthread_create(&threads[i], NULL, take_and_drop, &seeds[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(slot_used(), 0);
    check_tables();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(random_use_matches_the_model),
        TEST(nothing_is_handed_out_that_is_not_in_service),
        TEST(runs_are_appended_and_then_reused),
        TEST(a_small_set_does_not_march_through_a_large_file),
        TEST(sharing_takes_memory_while_it_lasts),
        TEST(killed_children_give_everything_back),
        TEST(what_the_dead_held_can_be_taken),
        TEST(a_grandchild_keeps_what_it_was_given),
        TEST(threads_share_the_tables),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
