/* SPDX-License-Identifier: MIT */
/* Messages: whole lines on stderr, or to the handler. */
#include "base/msg.h"

#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the handler was given. */
static struct {
    void *context;
    enum uswap_level level;
    char line[1024];
    unsigned calls;
} got;

static void record(void *context, enum uswap_level level, const char *line)
{
    got.context = context;
    got.level = level;
    got.calls++;
    snprintf(got.line, sizeof(got.line), "%s", line);
}

static int setup(void **state)
{
    memset(&got, 0, sizeof(got));
    return 0;
}

static int teardown(void **state)
{
    msg_set_handler(NULL, NULL);
    return 0;
}

/* Say it with stderr on a pipe; what arrived goes to text. */
static void say_to_pipe(const char *message, char *text, size_t size)
{
    int ends[2];
    int saved = dup(2);

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], 2);
    msg_warning("%s", message);
    dup2(saved, 2);
    close(saved);
    ssize_t length = read(ends[0], text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    close(ends[0]);
    close(ends[1]);
}

static void a_message_is_one_line_on_stderr(void **state)
{
    char text[64];

    say_to_pipe("no room", text, sizeof(text));
    assert_string_equal(text, "uswap: no room\n");
}

static void a_long_message_is_cut_and_still_a_line(void **state)
{
    char message[2000], text[2000];

    memset(message, 'm', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    say_to_pipe(message, text, sizeof(text));
    assert_int_equal(strlen(text), 512);
    assert_int_equal(text[511], '\n');
    assert_int_equal(text[510], 'm');
}

static void the_handler_gets_it_without_prefix_and_newline(void **state)
{
    msg_set_handler(record, &got);
    msg_error("slot %u of %s", 12u, "/scratch");
    assert_string_equal(got.line, "slot 12 of /scratch");
    assert_int_equal(got.level, USWAP_ERROR);
    assert_ptr_equal(got.context, &got);
    msg_warning("w");
    assert_int_equal(got.level, USWAP_WARNING);
    msg_info("i");
    assert_int_equal(got.level, USWAP_INFO);
    assert_int_equal(got.calls, 3);
}

static void without_handler_stderr_gets_it_again(void **state)
{
    char text[64];

    msg_set_handler(record, NULL);
    msg_set_handler(NULL, NULL);
    say_to_pipe("back", text, sizeof(text));
    assert_string_equal(text, "uswap: back\n");
    assert_int_equal(got.calls, 0);
}

static void *say_without_stderr(void *message)
{
    assert_int_equal(unshare(CLONE_FILES), 0);
    close(2);
    msg_warning("%s", (const char *)message);
    return NULL;
}

static void a_thread_with_its_own_descriptors_reaches_stderr(void **state)
{
    char message[] = "from afar", text[64] = "";
    int ends[2];
    int saved = dup(2);
    pthread_t thread;

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], 2);
    assert_int_equal(pthread_create(&thread, NULL, say_without_stderr, message), 0);
    pthread_join(thread, NULL);
    dup2(saved, 2);
    close(saved);
    assert_int_equal(read(ends[0], text, sizeof(text) - 1), strlen("uswap: from afar\n"));
    assert_string_equal(text, "uswap: from afar\n");
    close(ends[0]);
    close(ends[1]);
}

static void a_stderr_that_takes_nothing_does_no_harm(void **state)
{
    int saved = dup(2);

    errno = 4711;
    close(2);
    msg_error("lost");
    dup2(saved, 2);
    close(saved);
    assert_int_equal(errno, 4711);
}

static void a_full_pipe_does_not_stop_the_program(void **state)
{
    int ends[2];
    int saved = dup(2);
    char page[4096] = "";

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    while (write(ends[1], page, sizeof(page)) > 0)
        ;
    dup2(ends[1], 2);
    msg_error("lost");
    dup2(saved, 2);
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

static void less_grave_messages_are_left_out(void **state)
{
    assert_int_equal(msg_level_of("error"), USWAP_ERROR);
    assert_int_equal(msg_level_of("debug"), USWAP_DETAIL);
    assert_int_equal(msg_level_of("all"), -1);
    msg_set_handler(record, NULL);
    msg_debug("not at first");
    assert_int_equal(got.calls, 0);
    msg_set_level(USWAP_WARNING);
    msg_info("not now");
    assert_int_equal(got.calls, 0);
    msg_warning("this");
    assert_string_equal(got.line, "this");
    msg_set_level(USWAP_DETAIL);
    msg_debug("all");
    assert_string_equal(got.line, "all");
    msg_set_level(USWAP_INFO);
}

/* Say the same so many times with stderr on a pipe; returns how many lines came. */
static unsigned say_often(unsigned times, char *text, size_t size)
{
    int ends[2];
    int saved = dup(2);
    unsigned lines = 0;

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    dup2(ends[1], 2);
    for (unsigned i = 0; i < times; i++)
        msg_warning("again %u", i);
    dup2(saved, 2);
    close(saved);
    ssize_t length = read(ends[0], text, size - 1);
    text[length > 0 ? length : 0] = '\0';
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    close(ends[0]);
    close(ends[1]);
    return lines;
}

static void a_flood_is_cut_and_counted(void **state)
{
    static char text[65536];
    unsigned lines = say_often(500, text, sizeof(text));

    /* One a second more, on a slow machine. */
    assert_in_range(lines, 20, 60);
    assert_non_null(strstr(text, "uswap: again 19\n"));
    msg_set_handler(record, NULL);
    msg_warning("another kind");
    assert_int_equal(got.calls, 1);
    msg_set_handler(NULL, NULL);
    usleep(1100000);
    lines = say_often(1, text, sizeof(text));
    assert_int_equal(lines, 1);
    assert_non_null(strstr(text, " more like this)"));
}

static void a_log_has_time_process_and_level(void **state)
{
    char path[] = "/var/tmp/uswap-unit-log-XXXXXX", line[128] = "", level[32];
    int fd = mkstemp(path), year, pid;

    assert_true(fd >= 0);
    assert_int_equal(msg_open_log("/nowhere/log"), -ENOENT);
    assert_int_equal(msg_open_log(path), 0);
    msg_info("written %d", 1);
    assert_true(read(fd, line, sizeof(line) - 1) > 0);
    assert_int_equal(
        sscanf(line, "%d-%*d-%*dT%*d:%*d:%*dZ %d %31s written 1\n", &year, &pid, level), 3);
    assert_in_range(year, 2024, 2200);
    assert_int_equal(pid, getpid());
    assert_string_equal(level, "info:");
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_is_one_line_on_stderr, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_message_is_cut_and_still_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(the_handler_gets_it_without_prefix_and_newline, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_handler_stderr_gets_it_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thread_with_its_own_descriptors_reaches_stderr, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_stderr_that_takes_nothing_does_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_pipe_does_not_stop_the_program, setup, teardown),
        cmocka_unit_test_setup_teardown(less_grave_messages_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flood_is_cut_and_counted, setup, teardown),
        /* The last one: from here on they go to the log. */
        cmocka_unit_test_setup_teardown(a_log_has_time_process_and_level, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
