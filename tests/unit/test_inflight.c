/* SPDX-License-Identifier: MIT */
/* What holds must wait for what is in flight, and what is new must wait for what holds. */
#include "store/inflight.h"

#include "cmocka_all.h"

#include <pthread.h>
#include <unistd.h>

static struct inflight inflight;
static _Atomic int inside;
static _Atomic bool stop;

static int set_up(void **state)
{
    inflight_reset(&inflight);
    atomic_store(&inside, 0);
    atomic_store(&stop, false);
    return 0;
}

static void *come_and_go(void *unused)
{
    while (!atomic_load(&stop)) {
        inflight_begin(&inflight);
        atomic_fetch_add(&inside, 1);
        atomic_fetch_sub(&inside, 1);
        inflight_end(&inflight);
    }
    return unused;
}

static void nothing_is_in_flight_while_held(void **state)
{
    pthread_t threads[3];

    for (unsigned i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, come_and_go, NULL);
    for (unsigned round = 0; round < 500; round++) {
        inflight_hold(&inflight);
        assert_true(inflight_is_held(&inflight));
        for (unsigned look = 0; look < 100; look++)
            assert_int_equal(atomic_load(&inside), 0);
        inflight_release(&inflight);
        assert_false(inflight_is_held(&inflight));
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static void *end_later(void *unused)
{
    usleep(50000);
    atomic_store(&inside, 0);
    inflight_end(&inflight);
    return unused;
}

static void the_end_may_come_in_another_thread(void **state)
{
    pthread_t thread;

    inflight_begin(&inflight);
    atomic_store(&inside, 1);
    pthread_create(&thread, NULL, end_later, NULL);
    inflight_hold(&inflight);
    assert_int_equal(atomic_load(&inside), 0);
    inflight_release(&inflight);
    pthread_join(thread, NULL);
}

static void *begin_once(void *unused)
{
    inflight_begin(&inflight);
    atomic_store(&inside, 1);
    inflight_end(&inflight);
    return unused;
}

static void a_new_one_waits_for_the_release(void **state)
{
    pthread_t thread;

    inflight_hold(&inflight);
    pthread_create(&thread, NULL, begin_once, NULL);
    usleep(50000);
    assert_int_equal(atomic_load(&inside), 0);
    inflight_release(&inflight);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&inside), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_in_flight_while_held, set_up),
        cmocka_unit_test_setup(the_end_may_come_in_another_thread, set_up),
        cmocka_unit_test_setup(a_new_one_waits_for_the_release, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
