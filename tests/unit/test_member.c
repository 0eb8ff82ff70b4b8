/* SPDX-License-Identifier: MIT */
/* Who of a family lives, whatever way the others ended, and what they promised. */
#include "store/member.h"

#include "cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int set_up(void **state)
{
    return member_start();
}

static int tear_down(void **state)
{
    member_stop();
    return 0;
}

static void live(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pause();
}

static void run_sleep(void)
{
    execlp("sleep", "sleep", "60", NULL);
}

static void end(void)
{
    _exit(0);
}

static unsigned fork_member(void (*run)(void), pid_t *child)
{
    unsigned member;

    assert_int_equal(member_fork_prepare(&member), 0);
    *child = fork();
    if (*child == 0) {
        member_fork_child();
        run();
        _exit(1);
    }
    member_fork_parent();
    return member;
}

static void end_process(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* At once when the process has ended; an exec takes a while. */
static void expect_death(unsigned member)
{
    for (unsigned look = 0; look < 500 && !member_is_dead(member); look++)
        usleep(10000);
    assert_true(member_is_dead(member));
    assert_true(member_exists(member));
}

static void a_member_lives_until_it_is_killed(void **state)
{
    pid_t child;
    unsigned member = fork_member(live, &child);

    assert_int_not_equal(member, member_own());
    assert_false(member_is_dead(member));
    usleep(20000);
    assert_false(member_is_dead(member));
    assert_false(member_is_dead(member_own()));
    end_process(child);
    assert_true(member_is_dead(member));
}

static void one_that_exits_or_executes_is_dead(void **state)
{
    pid_t child;

    expect_death(fork_member(end, &child));
    end_process(child);
    expect_death(fork_member(run_sleep, &child));
    end_process(child);
}

/* The parent, with the descriptor for the child, dies instead. */
static void a_fork_that_never_was_leaves_nobody(void **state)
{
    unsigned member;
    pid_t child;

    fork_member(end, &child);
    end_process(child);
    assert_int_equal(member_fork_prepare(&member), 0);
    assert_false(member_is_dead(member));
    member_fork_parent();
    assert_true(member_is_dead(member));
    member_forget(member);
    assert_false(member_exists(member));
    assert_false(member_is_dead(member));
}

static void one_that_lives_keeps_its_number(void **state)
{
    pid_t children[3];
    unsigned members[3];

    for (unsigned i = 0; i < 3; i++)
        members[i] = fork_member(live, &children[i]);
    end_process(children[1]);
    member_forget(members[1]);
    assert_int_equal(fork_member(live, &children[1]), members[1]);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(member_is_dead(members[i]));
        end_process(children[i]);
        assert_true(member_is_dead(members[i]));
    }
}

static void there_is_no_place_for_more_than_all(void **state)
{
    unsigned member;

    for (unsigned i = 1; i < MEMBERS_MAX; i++) {
        assert_int_equal(member_fork_prepare(&member), 0);
        member_fork_parent();
    }
    assert_int_equal(member_fork_prepare(&member), -EAGAIN);
    member_forget(77);
    assert_int_equal(member_fork_prepare(&member), 0);
    assert_int_equal(member, 77);
    member_fork_parent();
    assert_int_equal(member_count(), MEMBERS_MAX);
}

static void a_token_is_of_one_member_only(void **state)
{
    uint32_t own = member_token();
    unsigned first, second;
    pid_t child;

    assert_true(member_token_lives(own));
    first = fork_member(end, &child);
    end_process(child);
    member_forget(first);
    second = fork_member(live, &child);
    assert_int_equal(first, second);
    assert_true(member_token_lives(own));
    assert_false(member_token_lives(own + 1));
    end_process(child);
}

static void what_is_promised_adds_up_and_ends_with_the_member(void **state)
{
    unsigned member;
    pid_t child;

    member_promise(1000);
    member_promise(-100);
    member = fork_member(live, &child);
    member_promise(50);
    assert_int_equal(member_promised(), 950);
    assert_int_equal(member_promised_by_all(), 1850);
    end_process(child);
    assert_int_equal(member_promised_by_all(), 1850);
    member_forget(member);
    assert_int_equal(member_promised_by_all(), 950);
}

/* The child takes its lock itself then; so does its own child. That the description is shared with
 * the parent does not make that look dead. */
static void have_a_child(void)
{
    pid_t child;
    unsigned member = fork_member(live, &child);

    usleep(100000);
    if (member_is_dead(member) || member_is_dead(0))
        _exit(1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (!member_is_dead(member) || member_is_dead(0))
        _exit(2);
    pause();
}

static void without_a_free_descriptor_deaths_are_noticed_too(void **state)
{
    struct rlimit limit, none;
    unsigned member;
    pid_t child;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    member = fork_member(have_a_child, &child);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(member_is_dead(member));
    usleep(300000);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    assert_false(member_is_dead(member));
    end_process(child);
    assert_true(member_is_dead(member));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_lives_until_it_is_killed),
        TEST(one_that_exits_or_executes_is_dead),
        TEST(a_fork_that_never_was_leaves_nobody),
        TEST(one_that_lives_keeps_its_number),
        TEST(there_is_no_place_for_more_than_all),
        TEST(a_token_is_of_one_member_only),
        TEST(what_is_promised_adds_up_and_ends_with_the_member),
        TEST(without_a_free_descriptor_deaths_are_noticed_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
