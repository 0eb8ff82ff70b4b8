/* SPDX-License-Identifier: MIT */
/* Locks keep others out, waits end, and ranks are checked where the checks are built in. */
#include "base/lock.h"

#include "base/clock.h"
#include "base/meta.h"
#include "cmocka_all.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS           1000000ull
#define THREADS      4
#define ROUNDS       50000
#define FAR_TOO_LONG 5000 * MS

static struct lock region_lock = LOCK_INIT(RANK_REGION);
static struct lock pool_lock = LOCK_INIT(RANK_POOL);
static struct lock other_pool_lock = LOCK_INIT(RANK_POOL);
static uint64_t counter;
static _Atomic uint32_t word;

static void *count_up(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        lock_take(&pool_lock);
        counter++;
        lock_drop(&pool_lock);
    }
    return NULL;
}

static void one_thread_at_a_time_is_inside(void **state)
{
    pthread_t threads[THREADS];

    counter = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter, (uint64_t)THREADS * ROUNDS);
    assert_int_equal(atomic_load(&pool_lock.word), 0);
}

static void *take_and_tell(void *unused)
{
    lock_take(&pool_lock);
    atomic_store(&word, 1);
    lock_drop(&pool_lock);
    return NULL;
}

static void a_waiter_sleeps_until_the_lock_is_dropped(void **state)
{
    pthread_t thread;

    atomic_store(&word, 0);
    lock_take(&pool_lock);
    assert_int_equal(pthread_create(&thread, NULL, take_and_tell, NULL), 0);
    while (atomic_load(&pool_lock.word) != 2)
        usleep(1000);
    assert_int_equal(atomic_load(&word), 0);
    lock_drop(&pool_lock);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&word), 1);
}

static void a_lock_is_free_after_reset(void **state)
{
    lock_take(&pool_lock);
    lock_reset(&pool_lock);
    assert_false(lock_any_held());
    lock_take(&pool_lock);
    lock_drop(&pool_lock);
}

static void a_wait_for_another_value_does_not_sleep(void **state)
{
    uint64_t start = clock_now_ns();

    atomic_store(&word, 1);
    futex_wait(&word, 0, FAR_TOO_LONG);
    futex_wait_shared(&word, 0, FAR_TOO_LONG);
    assert_true(clock_now_ns() - start < FAR_TOO_LONG / 2);
}

static void a_wait_ends_with_its_timeout(void **state)
{
    uint64_t start = clock_now_ns();

    atomic_store(&word, 0);
    futex_wait(&word, 0, 20 * MS);
    futex_wait_shared(&word, 0, 20 * MS);
    assert_true(clock_now_ns() - start >= 40 * MS);
}

static void *wait_for_one(void *unused)
{
    while (atomic_load(&word) == 0)
        futex_wait(&word, 0, 0);
    return NULL;
}

static void waking_wakes_all(void **state)
{
    pthread_t threads[THREADS];

    atomic_store(&word, 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_one, NULL), 0);
    usleep(20000);
    atomic_store(&word, 1);
    futex_wake_all(&word);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void a_shared_word_wakes_another_process(void **state)
{
    _Atomic uint32_t *shared = meta_reserve_shared(PAGE_SIZE);
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        alarm(10);
        while (atomic_load(shared) == 0)
            futex_wait_shared(shared, 0, 0);
        _exit(3);
    }
    usleep(20000);
    atomic_store(shared, 1);
    futex_wake_all_shared(shared);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    meta_release(shared, PAGE_SIZE);
}

#ifdef USWAP_DEBUG

/* Whether a child that takes second while it holds first, is stopped. */
static bool order_is_stopped(struct lock *first, struct lock *second)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGILL, SIG_DFL);
        signal(SIGTRAP, SIG_DFL);
        alarm(10);
        lock_take(first);
        lock_take(second);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        assert_int_not_equal(WTERMSIG(status), SIGALRM);
    return WIFSIGNALED(status);
}

static void only_a_higher_rank_may_be_taken(void **state)
{
    assert_false(order_is_stopped(&region_lock, &pool_lock));
    assert_true(order_is_stopped(&pool_lock, &region_lock));
    assert_true(order_is_stopped(&pool_lock, &other_pool_lock));
    assert_true(order_is_stopped(&pool_lock, &pool_lock));
}

static void held_locks_are_known(void **state)
{
    assert_false(lock_any_held());
    lock_take(&region_lock);
    lock_take(&pool_lock);
    lock_drop(&region_lock);
    assert_true(lock_any_held());
    lock_drop(&pool_lock);
    assert_false(lock_any_held());
}

#else

static void without_checks_ranks_do_not_matter(void **state)
{
    lock_take(&pool_lock);
    lock_take(&region_lock);
    lock_take(&other_pool_lock);
    assert_false(lock_any_held());
    lock_drop(&other_pool_lock);
    lock_drop(&region_lock);
    lock_drop(&pool_lock);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time_is_inside),
        cmocka_unit_test(a_waiter_sleeps_until_the_lock_is_dropped),
        cmocka_unit_test(a_lock_is_free_after_reset),
        cmocka_unit_test(a_wait_for_another_value_does_not_sleep),
        cmocka_unit_test(a_wait_ends_with_its_timeout),
        cmocka_unit_test(waking_wakes_all),
        cmocka_unit_test(a_shared_word_wakes_another_process),
#ifdef USWAP_DEBUG
        cmocka_unit_test(only_a_higher_rank_may_be_taken),
        cmocka_unit_test(held_locks_are_known),
#else
        cmocka_unit_test(without_checks_ranks_do_not_matter),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
