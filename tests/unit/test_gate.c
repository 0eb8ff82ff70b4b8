/* SPDX-License-Identifier: MIT */
#include "arena/gate.h"

#include "cmocka_all.h"

#include <pthread.h>
#include <semaphore.h>

static sem_t entered, may_leave;

static void *pass(void *unused)
{
    gate_enter();
    sem_post(&entered);
    sem_wait(&may_leave);
    gate_leave();
    return unused;
}

static void a_thread_learns_whether_others_are_inside(void **state)
{
    pthread_t other;

    gate_enter();
    assert_true(gate_alone());
    assert_int_equal(pthread_create(&other, NULL, pass, NULL), 0);
    sem_wait(&entered);
    assert_false(gate_alone());
    sem_post(&may_leave);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_true(gate_alone());
    gate_leave();
}

static void nobody_enters_while_it_is_closed(void **state)
{
    pthread_t other;

    gate_close();
    assert_int_equal(pthread_create(&other, NULL, pass, NULL), 0);
    assert_int_equal(sem_trywait(&entered), -1);
    gate_enter(); /* who closed it passes */
    gate_leave();
    gate_open();
    sem_wait(&entered);
    sem_post(&may_leave);
    assert_int_equal(pthread_join(other, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_learns_whether_others_are_inside),
        cmocka_unit_test(nobody_enters_while_it_is_closed),
    };

    sem_init(&entered, 0, 0);
    sem_init(&may_leave, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
