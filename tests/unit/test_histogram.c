/* SPDX-License-Identifier: MIT */
/* Percentiles against the sorted values themselves. */
#include "base/histogram.h"

#include "cmocka_all.h"
#include "random.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUES 5000

/* Of each thread: enough to overlap on two processors. */
#define ADDS 2000000

static struct random seeded;
static struct histogram histogram;

static int setup(void **state)
{
    memset(&histogram, 0, sizeof(histogram));
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void an_empty_one_says_zero(void **state)
{
    assert_int_equal(histogram_total(&histogram), 0);
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
    assert_int_equal(histogram_percentile(&histogram, 100), 0);
}

static void small_values_are_exact(void **state)
{
    for (uint64_t value = 0; value < 32; value++)
        histogram_add(&histogram, value);
    assert_int_equal(histogram_total(&histogram), 32);
    assert_int_equal(histogram_percentile(&histogram, 0), 0);
    assert_int_equal(histogram_percentile(&histogram, 25), 7);
    assert_int_equal(histogram_percentile(&histogram, 50), 15);
    assert_int_equal(histogram_percentile(&histogram, 51), 16);
    assert_int_equal(histogram_percentile(&histogram, 100), 31);
}

static void every_power_of_two_has_its_place(void **state)
{
    for (unsigned bit = 0; bit < 64; bit++)
        histogram_add(&histogram, (uint64_t)1 << bit);
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram_total(&histogram), 65);
    assert_int_equal(histogram.count[1], 1);
    assert_int_equal(histogram.count[16], 1);
    assert_int_equal(histogram.count[HISTOGRAM_BUCKETS - 16], 1);
    assert_int_equal(histogram.count[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(histogram_percentile(&histogram, 100), UINT64_MAX);
}

static void no_percentile_exceeds_the_maximum(void **state)
{
    histogram_add(&histogram, 1000001);
    assert_int_equal(histogram_percentile(&histogram, 50), 1000001);
    assert_int_equal(histogram.maximum, 1000001);
}

static void percentiles_are_within_a_sixteenth(void **state)
{
    static uint64_t values[VALUES];

    for (size_t i = 0; i < VALUES; i++) {
        values[i] = random_log(&seeded);
        histogram_add(&histogram, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), compare);
    for (unsigned percent = 1; percent <= 100; percent++) {
        uint64_t exact = values[VALUES * percent / 100 - 1];
        uint64_t found = histogram_percentile(&histogram, percent);
        assert_true(found >= exact);
        assert_true(found - exact <= exact / 16);
    }
    assert_int_equal(histogram.maximum, values[VALUES - 1]);
}

static pthread_barrier_t together;

/* Neighbouring numbers go to different processors: the scheduler may leave short threads on one. */
static void move_to_processor(size_t number)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(number % (size_t)sysconf(_SC_NPROCESSORS_ONLN), &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* Where each thread begins: the first three meet in some buckets. */
static const uint64_t starts[] = {0, 2, 0, 1000};

static void *add_many(void *start)
{
    move_to_processor((size_t)((const uint64_t *)start - starts));
    pthread_barrier_wait(&together);
    for (uint64_t i = 0; i < ADDS; i++)
        histogram_add(&histogram, *(const uint64_t *)start + i % 4);
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    pthread_t threads[array_size(starts)];

    pthread_barrier_init(&together, NULL, array_size(starts));
    for (size_t i = 0; i < array_size(starts); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, (void *)&starts[i]), 0);
    for (size_t i = 0; i < array_size(starts); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(histogram_total(&histogram), array_size(starts) * ADDS);
    assert_int_equal(histogram.maximum, 1003);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_one_says_zero, setup),
        cmocka_unit_test_setup(small_values_are_exact, setup),
        cmocka_unit_test_setup(every_power_of_two_has_its_place, setup),
        cmocka_unit_test_setup(no_percentile_exceeds_the_maximum, setup),
        cmocka_unit_test_setup(percentiles_are_within_a_sixteenth, setup),
        cmocka_unit_test_setup(nothing_is_lost_between_threads, setup),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
