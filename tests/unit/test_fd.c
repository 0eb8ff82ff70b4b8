/* SPDX-License-Identifier: MIT */
/* Our descriptors do not disturb those of the program. */
#include "base/fd.h"

#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOOD 7

static int open_null(void)
{
    return open("/dev/null", O_RDONLY);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void the_numbers_the_program_gets_stay_the_same(void **state)
{
    int before = open_null();
    int ours, after;

    close(before);
    ours = fd_move_high(open_null());
    after = open_null();
    assert_int_equal(after, before);
    assert_true(ours >= 512);
    assert_int_equal(fcntl(ours, F_GETFD), FD_CLOEXEC);
    close(after);
    fd_close(ours);
    assert_false(is_open(ours));
}

static void a_low_limit_is_respected(void **state)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        struct rlimit limit = {40, 40};
        int ours;

        setrlimit(RLIMIT_NOFILE, &limit);
        ours = fd_move_high(open_null());
        _exit(ours >= 20 && ours < 40 && is_open(ours) ? GOOD : 1);
    }
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), GOOD);
}

/* What the thread saw in its table. */
struct seen {
    int ours[3];
    int programs[2];
    int error;
    unsigned wrong;
    int opened;
};

static void *leave_and_look(void *argument)
{
    struct seen *seen = argument;

    seen->error = fd_leave_program();
    for (unsigned i = 0; i < 3; i++)
        seen->wrong += !is_open(seen->ours[i]);
    for (unsigned i = 0; i < 2; i++)
        seen->wrong += is_open(seen->programs[i]);
    seen->wrong += is_open(0) + is_open(2);
    seen->opened = open_null();
    return NULL;
}

static void a_thread_that_left_has_ours_only(void **state)
{
    struct seen seen = {.wrong = 0};
    pthread_t thread;

    for (unsigned i = 0; i < 3; i++)
        seen.ours[i] = fd_move_high(open_null());
    seen.programs[0] = open_null();
    seen.programs[1] = dup2(seen.programs[0], 200);
    pthread_create(&thread, NULL, leave_and_look, &seen);
    pthread_join(thread, NULL);
    assert_int_equal(seen.error, 0);
    assert_int_equal(seen.wrong, 0);
    assert_int_equal(seen.opened, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(is_open(seen.programs[i]));
        close(seen.programs[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        fd_close(seen.ours[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_the_program_gets_stay_the_same),
        cmocka_unit_test(a_low_limit_is_respected),
        cmocka_unit_test(a_thread_that_left_has_ours_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
