/* SPDX-License-Identifier: MIT */
/* Threads that libc does not know of. Each test runs in a child process: such a thread never ends.
 */
#include "base/thread.h"

#include "base/lock.h"
#include "base/sys.h"
#include "cmocka_all.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 16

/* Exit codes of the children. */
enum { GOOD = 7, NOT_STARTED = 20, NOT_SEEN };

/* What a thread saw; done is set last. */
struct seen {
    _Atomic uint32_t done;
    int number;
    uint64_t blocked;
    uintptr_t canary;
    uintptr_t self;
    char *stack;
};

static __thread int thread_local_number;

static uintptr_t tcb_word(unsigned index)
{
    uintptr_t word = 0;

#if defined(__x86_64__)
    __asm__ volatile("mov %%fs:(%1), %0" : "=r"(word) : "r"((uintptr_t)index * 8));
#else
    (void)index;
#endif
    return word;
}

static void sleep_for_good(void)
{
    static _Atomic uint32_t never;

    for (;;)
        futex_wait(&never, 0, 0);
}

static void look_around(void *argument)
{
    struct seen *seen = argument;
    char here;

    sys_call(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &seen->blocked, sizeof(seen->blocked));
    seen->number = ++thread_local_number;
    seen->canary = tcb_word(5);
    seen->self = tcb_word(0);
    seen->stack = &here;
    atomic_store(&seen->done, 1);
    futex_wake_all(&seen->done);
    sleep_for_good();
}

/* Start a thread that looks around and wait until it has; exits when it cannot. */
static void start_and_wait(struct seen *seen)
{
    if (thread_start(look_around, seen) != 0)
        _exit(NOT_STARTED);
    for (int second = 0; second < 10 && !atomic_load(&seen->done); second++)
        futex_wait(&seen->done, 0, 1000000000);
    if (!atomic_load(&seen->done))
        _exit(NOT_SEEN);
}

/* The exit code of a child that runs this, or the negative number of the signal that ended it. */
static int in_child(void (*run)(void))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        alarm(20);
        signal(SIGSEGV, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        run();
        exit(GOOD);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Exit with the number of the line of a check that fails. */
#define check(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("%s:%d: %s\n", __FILE__, __LINE__, #condition);                            \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void see_one(void)
{
    static struct seen seen;
    char here;

    thread_local_number = 40;
    start_and_wait(&seen);
    check(seen.number == 1);
    check(thread_local_number == 40);
    check(seen.canary == tcb_word(5));
    check(seen.self != tcb_word(0) || tcb_word(0) == 0);
    check(labs(seen.stack - &here) > (long)PAGE_SIZE);
}

static void a_thread_has_stack_and_storage_of_its_own(void **state)
{
    assert_int_equal(in_child(see_one), GOOD);
}

static void see_mask(void)
{
    static struct seen seen;
    uint64_t unblockable = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);
    uint64_t before, after;

    sys_call(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &before, sizeof(before));
    start_and_wait(&seen);
    sys_call(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &after, sizeof(after));
    check(seen.blocked == ~unblockable);
    check(before == after);
}

static void a_thread_blocks_all_signals_and_its_starter_none(void **state)
{
    assert_int_equal(in_child(see_mask), GOOD);
}

static void see_many(void)
{
    static struct seen seen[MANY];

    for (int i = 0; i < MANY; i++)
        start_and_wait(&seen[i]);
    for (int i = 0; i < MANY; i++)
        for (int other = 0; other < i; other++)
            check(labs(seen[i].stack - seen[other].stack) > (long)(256 * KIB));
}

static void many_threads_do_not_meet(void **state)
{
    assert_int_equal(in_child(see_many), GOOD);
}

static void see_libc(void)
{
    static struct seen seen;

    check(__libc_single_threaded);
    start_and_wait(&seen);
    check(__libc_single_threaded);
}

static void libc_stays_single_threaded(void **state)
{
    assert_int_equal(in_child(see_libc), GOOD);
}

static void start_in_handler(int signo)
{
    static struct seen seen;

    start_and_wait(&seen);
    check(seen.number == 1);
}

static void raise_it(void)
{
    signal(SIGUSR1, start_in_handler);
    raise(SIGUSR1);
}

static void one_can_be_started_in_a_signal_handler(void **state)
{
    assert_int_equal(in_child(raise_it), GOOD);
}

static void *start_from_pthread(void *seen)
{
    start_and_wait(seen);
    return NULL;
}

static void end_well(void)
{
    _exit(GOOD);
}

/* The starter ends before its thread, and then all others that libc knows: that is the end. */
static void outlive(void)
{
    static struct seen seen;
    pthread_t starter;

    check(pthread_create(&starter, NULL, start_from_pthread, &seen) == 0);
    check(pthread_join(starter, NULL) == 0);
    check(seen.number == 1);
    atexit(end_well);
    pthread_exit(NULL);
}

static void the_last_thread_of_libc_ends_the_process(void **state)
{
    assert_int_equal(in_child(outlive), GOOD);
}

/* Write to every page from here down to the end of the stack and one further. */
static void overflow(void *argument)
{
    _Atomic uint32_t *go = argument;
    char here;

    while (atomic_load(go) == 0)
        futex_wait(go, 0, 0);
    for (uintptr_t down = 0; down <= 256 * KIB; down += PAGE_SIZE)
        *(volatile char *)((uintptr_t)&here - down) = 1;
    atomic_store(go, 2);
    futex_wake_all(go);
    sleep_for_good();
}

/* Another thread's block lies below, where the kernel usually puts it: it must not be written to.
 */
static void exhaust_stack(void)
{
    static struct seen seen;
    static _Atomic uint32_t go;

    if (thread_start(overflow, (void *)&go) != 0)
        _exit(NOT_STARTED);
    start_and_wait(&seen);
    atomic_store(&go, 1);
    futex_wake_all(&go);
    futex_wait(&go, 1, 10000000000);
}

static void a_stack_that_overflows_ends_the_process(void **state)
{
    assert_int_equal(in_child(exhaust_stack), -SIGSEGV);
}

static void start_without_memory(void)
{
    static struct seen seen;
    struct rlimit old;
    int error;

    getrlimit(RLIMIT_AS, &old);
    setrlimit(RLIMIT_AS, &(struct rlimit){PAGE_SIZE, old.rlim_max});
    error = thread_start(look_around, &seen);
    setrlimit(RLIMIT_AS, &old);
    check(error == -ENOMEM);
}

static void without_memory_there_is_an_error(void **state)
{
    assert_int_equal(in_child(start_without_memory), GOOD);
}

/* ---- Apart ---- */

static struct {
    struct seen seen;
    int code;
} apart;

static void look_apart(void *argument)
{
    char here;

    (void)argument;
    apart.seen.number = ++thread_local_number;
    apart.seen.canary = tcb_word(5);
    apart.seen.stack = &here;
    sys_call(SYS_exit, apart.code);
}

static void run_some(void)
{
    char here;

    thread_local_number = 40;
    for (int i = 0; i < 100; i++)
        check(thread_run_apart(look_apart, NULL) == 0);
    check(thread_local_number == 40);
    check(apart.seen.number > 0 && apart.seen.number <= 100);
    check(apart.seen.canary == tcb_word(5));
    check(labs(apart.seen.stack - &here) > (long)PAGE_SIZE);
    apart.code = 3;
    check(thread_run_apart(look_apart, NULL) == -EFAULT);
    check(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD);
}

static void what_is_run_apart_has_stack_and_storage_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(in_child(run_some), GOOD);
}

static void take_a_while(void *argument)
{
    const struct timespec moment = {0, 100000000};

    (void)argument;
    sys_call(SYS_nanosleep, &moment, NULL);
    atomic_fetch_add(&apart.seen.done, 1);
    sys_call(SYS_exit, 0);
}

static int wait_for_it(void *argument)
{
    (void)argument;
    return thread_run_apart(take_a_while, NULL);
}

/* More often than there is room for at once. */
static void kill_who_waits(void)
{
    static char stack[64 << 10] __attribute__((aligned(16)));

    for (uint32_t i = 0; i < 20; i++) {
        pid_t child = clone(wait_for_it, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
        check(child > 0);
        usleep(30000);
        check(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
        for (int look = 0; look < 1000 && atomic_load(&apart.seen.done) == i; look++)
            usleep(10000);
        check(atomic_load(&apart.seen.done) == i + 1);
    }
}

static void it_ends_also_when_who_waits_is_killed(void **state)
{
    (void)state;
    assert_int_equal(in_child(kill_who_waits), GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_stack_and_storage_of_its_own),
        cmocka_unit_test(a_thread_blocks_all_signals_and_its_starter_none),
        cmocka_unit_test(many_threads_do_not_meet),
        cmocka_unit_test(libc_stays_single_threaded),
        cmocka_unit_test(one_can_be_started_in_a_signal_handler),
        cmocka_unit_test(the_last_thread_of_libc_ends_the_process),
        cmocka_unit_test(a_stack_that_overflows_ends_the_process),
        cmocka_unit_test(without_memory_there_is_an_error),
        cmocka_unit_test(what_is_run_apart_has_stack_and_storage_of_its_own),
        cmocka_unit_test(it_ends_also_when_who_waits_is_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
