/* SPDX-License-Identifier: MIT */
/* Locks of a family of processes, some of which die holding them. */
#include "store/family.h"

#include "base/clock.h"
#include "base/meta.h"
#include "cmocka_all.h"
#include "store/member.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOOD   7
#define ROUNDS 20000u

struct shared {
    struct family_lock lock;
    unsigned counter; /* guarded by lock */
    _Atomic int stage;
};

static struct shared *shared;

static int set_up(void **state)
{
    shared = meta_reserve_shared(sizeof(*shared));
    return shared ? member_start() : -1;
}

static int tear_down(void **state)
{
    member_stop();
    meta_release(shared, sizeof(*shared));
    return 0;
}

static pid_t fork_member(void (*run)(void))
{
    unsigned member;
    pid_t child;

    if (member_fork_prepare(&member))
        return -1;
    child = fork();
    if (child) {
        member_fork_parent();
        return child;
    }
    member_fork_child();
    run();
    _exit(GOOD);
}

static void expect_good_end(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), GOOD);
}

static void wait_for_stage(int stage)
{
    while (atomic_load(&shared->stage) < stage)
        usleep(100);
}

static void count_up(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (family_lock_take(&shared->lock))
            _exit(1);
        shared->counter++;
        family_lock_drop(&shared->lock);
    }
}

static void *count_up_in_thread(void *unused)
{
    count_up();
    return unused;
}

static void one_at_a_time_has_the_lock(void **state)
{
    pthread_t thread;
    pid_t children[2];

    for (unsigned i = 0; i < 2; i++)
        children[i] = fork_member(count_up);
    pthread_create(&thread, NULL, count_up_in_thread, NULL);
    count_up();
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < 2; i++)
        expect_good_end(children[i]);
    assert_int_equal(shared->counter, 4 * ROUNDS);
}

static void die_with_the_lock(void)
{
    if (family_lock_take(&shared->lock))
        _exit(1);
    kill(getpid(), SIGKILL);
}

static void a_lock_of_a_killed_member_is_taken_over(void **state)
{
    pid_t child = fork_member(die_with_the_lock);
    uint64_t start;

    assert_int_equal(waitpid(child, NULL, 0), child);
    start = clock_now_ns();
    assert_true(family_lock_take(&shared->lock));
    assert_true(clock_now_ns() - start < 1000000000);
    family_lock_drop(&shared->lock);
    assert_false(family_lock_take(&shared->lock));
    family_lock_drop(&shared->lock);
}

static void wait_with_the_lock(void)
{
    if (!family_lock_try(&shared->lock))
        _exit(1);
    atomic_store(&shared->stage, 1);
    wait_for_stage(2);
    kill(getpid(), SIGKILL);
}

static void who_only_tries_takes_it_from_the_dead_alone(void **state)
{
    pid_t child = fork_member(wait_with_the_lock);

    wait_for_stage(1);
    assert_false(family_lock_try(&shared->lock));
    atomic_store(&shared->stage, 2);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(family_lock_try(&shared->lock));
    assert_false(family_lock_try(&shared->lock));
    family_lock_drop(&shared->lock);
    assert_true(family_lock_try(&shared->lock));
    family_lock_drop(&shared->lock);
}

static void take_from_the_dead(void)
{
    if (family_lock_take(&shared->lock))
        atomic_fetch_add(&shared->stage, 1);
    family_lock_drop(&shared->lock);
}

static void one_of_many_waiters_takes_it_over(void **state)
{
    pid_t child = fork_member(die_with_the_lock);
    pid_t waiters[4];

    assert_int_equal(waitpid(child, NULL, 0), child);
    for (unsigned i = 0; i < 4; i++)
        waiters[i] = fork_member(take_from_the_dead);
    for (unsigned i = 0; i < 4; i++)
        expect_good_end(waiters[i]);
    assert_int_equal(atomic_load(&shared->stage), 1);
}

static void live_on(void)
{
    atomic_store(&shared->stage, 1);
    pause();
}

/* Somebody is alive with the number that the holder had; that is not the holder. */
static void a_number_that_was_given_again_does_not_keep_the_lock(void **state)
{
    pid_t holder = fork_member(die_with_the_lock);
    pid_t heir;

    assert_int_equal(waitpid(holder, NULL, 0), holder);
    member_forget(1);
    heir = fork_member(live_on);
    wait_for_stage(1);
    assert_int_equal(member_count(), 2);
    assert_false(member_is_dead(1));
    assert_true(family_lock_take(&shared->lock));
    family_lock_drop(&shared->lock);
    kill(heir, SIGKILL);
    waitpid(heir, NULL, 0);
}

static void execute_with_the_lock(void)
{
    if (family_lock_take(&shared->lock))
        _exit(1);
    execlp("sleep", "sleep", "2", NULL);
    _exit(1);
}

/* The process lives on, with the same number, but is no member any more. */
static void a_lock_of_a_member_that_executed_is_taken_over(void **state)
{
    pid_t child = fork_member(execute_with_the_lock);

    usleep(200000);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    assert_true(family_lock_take(&shared->lock));
    family_lock_drop(&shared->lock);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void hold_for_a_while(void)
{
    if (family_lock_take(&shared->lock))
        _exit(1);
    atomic_store(&shared->stage, 1);
    usleep(300000);
    shared->counter = 1;
    family_lock_drop(&shared->lock);
}

static void a_slow_holder_keeps_the_lock(void **state)
{
    pid_t child = fork_member(hold_for_a_while);

    wait_for_stage(1);
    assert_false(family_lock_take(&shared->lock));
    assert_int_equal(shared->counter, 1);
    family_lock_drop(&shared->lock);
    expect_good_end(child);
}

static void hold_in_another_namespace(void)
{
    pid_t child;

    if (unshare(CLONE_NEWPID))
        _exit(GOOD); /* not allowed here */
    child = fork_member(hold_for_a_while);
    waitpid(child, NULL, 0);
}

/* Its process number means nothing to us. */
static void a_holder_in_another_pid_namespace_keeps_the_lock(void **state)
{
    pid_t child;

    if (geteuid() != 0)
        skip();
    child = fork_member(hold_in_another_namespace);
    wait_for_stage(1);
    assert_false(family_lock_take(&shared->lock));
    assert_int_equal(shared->counter, 1);
    family_lock_drop(&shared->lock);
    expect_good_end(child);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_at_a_time_has_the_lock),
        TEST(a_lock_of_a_killed_member_is_taken_over),
        TEST(who_only_tries_takes_it_from_the_dead_alone),
        TEST(one_of_many_waiters_takes_it_over),
        TEST(a_number_that_was_given_again_does_not_keep_the_lock),
        TEST(a_lock_of_a_member_that_executed_is_taken_over),
        TEST(a_slow_holder_keeps_the_lock),
        TEST(a_holder_in_another_pid_namespace_keeps_the_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
