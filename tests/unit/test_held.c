/* SPDX-License-Identifier: MIT */
/* Bits of several members against a naive model. */
#include "store/held.h"

#include "base/meta.h"
#include "cmocka_all.h"
#include "random.h"

#include <string.h>

#define SLOTS   40960u
#define MEMBERS 4u

static struct random seeded;
static bool model[MEMBERS][SLOTS];

static void compare(unsigned member)
{
    uint64_t words;
    const uint64_t *row = held_by(member, &words);

    assert_true(words <= SLOTS / 64);
    assert_int_equal(held_bytes(member), align_up(words * 8, PAGE_SIZE));
    for (unsigned slot = 0; slot < SLOTS; slot++)
        assert_int_equal(slot / 64 < words && row[slot / 64] >> slot % 64 & 1, model[member][slot]);
}

/* How many hold a slot, but for one. */
static unsigned holders(unsigned but, unsigned slot)
{
    unsigned count = 0;

    for (unsigned member = 0; member < MEMBERS; member++)
        count += member != but && model[member][slot];
    return count;
}

static void compare_counts(unsigned but)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uint64_t asked = random_next(&seeded) | UINT64_C(1) << slot % 64;
        struct held_word held = held_count(MEMBERS, but, slot / 64, asked);

        assert_int_equal(held.any >> slot % 64 & 1, holders(but, slot) > 0);
        assert_int_equal(held.several >> slot % 64 & 1, holders(but, slot) > 1);
    }
}

static void add(unsigned member)
{
    unsigned first = (unsigned)random_below(&seeded, SLOTS);
    unsigned count = 0;

    while (count < 256 && first + count < SLOTS && !model[member][first + count])
        model[member][first + count++] = true;
    if (count > 0)
        held_add(member, first, count);
}

static void take_away(unsigned member)
{
    unsigned first = (unsigned)random_below(&seeded, SLOTS);
    unsigned limit = 1 + (unsigned)random_below(&seeded, 256);
    unsigned count = 0;

    while (count < limit && first + count < SLOTS && model[member][first + count])
        model[member][first + count++] = false;
    if (count > 0)
        assert_true(held_remove(member, first, count));
    else
        assert_false(held_remove(member, first, 1));
}

static void change(unsigned member)
{
    unsigned other = (unsigned)random_below(&seeded, MEMBERS);

    switch (random_below(&seeded, 40)) {
    case 0:
        held_clear(member);
        memset(model[member], 0, sizeof(model[member]));
        break;
    case 1:
        if (member == other)
            break;
        held_clear(other);
        held_copy(other, member);
        memcpy(model[other], model[member], sizeof(model[member]));
        break;
    default:
        if (random_below(&seeded, 2))
            add(member);
        else
            take_away(member);
    }
}

static void random_use_matches_the_model(void **state)
{
    uint64_t charged = meta_charged();

    assert_int_equal(held_start(SLOTS), 0);
    for (unsigned step = 0; step < 10000; step++) {
        change((unsigned)random_below(&seeded, MEMBERS));
        if (step % 100 == 0)
            compare((unsigned)random_below(&seeded, MEMBERS));
    }
    for (unsigned member = 0; member < MEMBERS; member++) {
        compare(member);
        compare_counts(member);
    }
    compare_counts(MEMBERS);
    held_stop();
    assert_int_equal(meta_charged(), charged);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_use_matches_the_model)};

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
