/* SPDX-License-Identifier: MIT */
/* Members of a pool file that are killed: at every instruction of a change, and at random points
 * under load. What they held comes back to the last page, and the limit holds all the time. */
#include "object/sharing.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/sys.h"
#include "cmocka_all.h"
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM        (64 * MIB)
#define SHARE      (256 * KIB)
#define KILLS      1000
#define WORKERS    3
#define POINTS_MAX 100
#define SHARE_PAGE (uint32_t)(SHARE / PAGE_SIZE)

static struct random random_state;

static int make_pool(uint64_t ram, uint64_t share)
{
    int fd = memfd_create("test-pool", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pool_file_make(fd, ram, share), 0);
    return fd;
}

static int set_up(void **state)
{
    struct pool_file *file;
    const char *reason;
    int fd = make_pool(RAM, SHARE);

    assert_int_equal(pool_file_map(fd, &file, &reason), 0);
    return sharing_join(fd_move_high(fd), file);
}

static int tear_down(void **state)
{
    sharing_leave();
    return 0;
}

static pid_t fork_member(void (*run)(uint64_t argument), uint64_t argument, unsigned *member)
{
    pid_t child;

    assert_int_equal(sharing_fork_prepare(member), 0);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sharing_fork_child();
        run(argument);
        _exit(0);
    }
    sharing_fork_parent();
    return child;
}

static void end_process(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Nobody holds anything but this process its share. */
static void expect_only_own(void)
{
    sharing_reap();
    assert_int_equal(ledger_total(&sharing_file->pages), SHARE_PAGE);
    assert_int_equal(ledger_total(&sharing_file->promises), 0);
    assert_int_equal(ledger_held(&sharing_file->pages, sharing_own()), SHARE_PAGE);
    assert_int_equal(sharing_members(), 1);
}

static void live(uint64_t unused)
{
    pause();
}

static void a_member_holds_its_share_until_it_is_killed(void **state)
{
    unsigned member;
    pid_t child = fork_member(live, 0, &member);

    assert_int_not_equal(member, sharing_own());
    assert_int_equal(ledger_held(&sharing_file->pages, member), SHARE_PAGE);
    assert_false(sharing_reap());
    assert_int_equal(sharing_members(), 2);
    end_process(child);
    assert_true(sharing_reap());
    assert_int_equal(ledger_held(&sharing_file->pages, member), 0);
    expect_only_own();
}

static void one_that_executes_is_gone(void **state)
{
    unsigned member;
    pid_t child;

    assert_int_equal(sharing_fork_prepare(&member), 0);
    child = fork();
    if (child == 0) {
        sharing_fork_child();
        execlp("sleep", "sleep", "60", NULL);
        _exit(1);
    }
    sharing_fork_parent();
    for (unsigned look = 0; look < 500 && !sharing_reap(); look++)
        usleep(10000);
    expect_only_own();
    end_process(child);
}

static void the_limit_holds_for_all_together(void **state)
{
    struct ledger *pages = &sharing_file->pages;
    uint32_t limit = (uint32_t)ledger_limit(pages);

    assert_true(ledger_take(pages, sharing_own(), limit - SHARE_PAGE));
    assert_false(ledger_take(pages, sharing_own(), 1));
    assert_int_equal(ledger_free(pages), 0);
    ledger_take_beyond(pages, sharing_own(), 10);
    assert_int_equal(ledger_free(pages), -10);
    ledger_give(pages, sharing_own(), limit - SHARE_PAGE + 10);
    expect_only_own();
}

static void a_full_pool_stops_nobody_from_joining(void **state)
{
    struct ledger *pages = &sharing_file->pages;
    uint32_t rest = (uint32_t)ledger_free(pages);
    unsigned member;
    pid_t child;

    assert_true(ledger_take(pages, sharing_own(), rest));
    child = fork_member(live, 0, &member);
    assert_int_equal(ledger_held(pages, member), SHARE_PAGE);
    assert_int_equal(ledger_free(pages), -(int64_t)SHARE_PAGE);
    end_process(child);
    ledger_give(pages, sharing_own(), rest);
    expect_only_own();
}

/* The shares of newcomers get smaller; all together stay within the pool. */
static void shares_never_exceed_the_pool(void **state)
{
    pid_t children[200];
    unsigned member, count = 0;

    atomic_store(&sharing_file->share, (uint32_t)(8 * MIB / PAGE_SIZE));
    for (; count < array_size(children); count++)
        children[count] = fork_member(live, 0, &member);
    assert_true(ledger_free(&sharing_file->pages) >= 0);
    for (unsigned i = 0; i < count; i++)
        end_process(children[i]);
    atomic_store(&sharing_file->share, SHARE_PAGE);
    expect_only_own();
}

/* ---- Every instruction ---- */

/* Each change is made once before, so that the loader has done its work. */
static void take_and_give(uint64_t unused)
{
    unsigned own = sharing_own();

    if (!ledger_take(&sharing_file->pages, own, 7))
        _exit(1);
    ledger_give(&sharing_file->pages, own, 5);
    if (!ledger_take(&sharing_file->promises, own, 3))
        _exit(1);
}

static void stop(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
}

static void traced_change(uint64_t unused)
{
    take_and_give(0);
    stop();
    take_and_give(0);
    sys_call(SYS_exit_group, 0);
}

static void traced_reap(uint64_t unused)
{
    stop();
    sharing_reap();
    sys_call(SYS_exit_group, 0);
}

/* Let a traced child go so many instructions and kill it; returns how many it went. */
static unsigned kill_after(pid_t child, unsigned steps)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    for (unsigned i = 0; i < steps; i++) {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return i;
        }
    }
    end_process(child);
    return steps;
}

static unsigned try_change(unsigned steps)
{
    unsigned member;

    steps = kill_after(fork_member(traced_change, 0, &member), steps);
    expect_only_own();
    return steps;
}

/* The one that gives back what a dead member held dies as well. */
static unsigned try_reap(unsigned steps)
{
    unsigned member;
    pid_t dead = fork_member(take_and_give, 0, &member);

    assert_int_equal(waitpid(dead, NULL, 0), dead);
    steps = kill_after(fork_member(traced_reap, 0, &member), steps);
    /* In between, a living one goes on. */
    assert_true(ledger_take(&sharing_file->pages, sharing_own(), 1));
    ledger_give(&sharing_file->pages, sharing_own(), 1);
    expect_only_own();
    return steps;
}

/* Builds that check much have many instructions: not each of them then. */
static void at_every_instruction(unsigned (*try_one)(unsigned steps))
{
    unsigned all = try_one(UINT_MAX);
    unsigned stride = all / POINTS_MAX + 1;

    assert_true(all > 100);
    for (unsigned steps = (unsigned)random_below(&random_state, stride); steps < all;
         steps += stride)
        try_one(steps);
}

static void killed_at_every_instruction_of_a_change(void **state)
{
    at_every_instruction(try_change);
}

static void killed_at_every_instruction_of_reaping(void **state)
{
    at_every_instruction(try_reap);
}

/* ---- Random points ---- */

static void work(uint64_t seed)
{
    struct random random = {seed};
    struct ledger *pages = &sharing_file->pages, *promises = &sharing_file->promises;
    unsigned own = sharing_own();

    for (;;) {
        uint32_t amount = (uint32_t)random_below(&random, 4000);
        uint64_t held = ledger_held(pages, own);

        if (random_below(&random, 2) == 0)
            (void)!ledger_take(pages, own, amount);
        else
            ledger_give(pages, own, (uint32_t)random_below(&random, held + 1));
        held = ledger_held(promises, own);
        if (!ledger_take(promises, own, amount))
            ledger_give(promises, own, (uint32_t)held);
        if (random_below(&random, 50) == 0)
            sharing_reap();
    }
}

static void wait_ns(uint64_t ns)
{
    uint64_t end = clock_now_ns() + ns;

    while (clock_now_ns() < end) {
        /* A newcomer's share may be beyond the limit for a moment. */
        assert_true(ledger_free(&sharing_file->pages) >= -(int64_t)(WORKERS * SHARE_PAGE));
        assert_true(ledger_free(&sharing_file->promises) >= 0);
    }
}

static void killed_at_random_points(void **state)
{
    pid_t workers[WORKERS] = {0};
    unsigned member;

    for (unsigned kills = 0; kills < KILLS; kills++) {
        unsigned which = (unsigned)random_below(&random_state, WORKERS);

        if (workers[which])
            end_process(workers[which]);
        workers[which] = fork_member(work, random_next(&random_state), &member);
        wait_ns(random_below(&random_state, 300000));
        if (kills % 100 != 99)
            continue;
        for (unsigned i = 0; i < WORKERS; i++)
            if (workers[i])
                end_process(workers[i]);
        memset(workers, 0, sizeof(workers));
        expect_only_own();
    }
}

/* ---- Files that are none ---- */

static void expect_refused(int fd, const char *what)
{
    struct pool_file *file = NULL;
    const char *reason = NULL;

    assert_int_equal(pool_file_map(fd, &file, &reason), -EBADMSG);
    assert_non_null(strstr(reason, what));
    close(fd);
}

static void spoil(int fd, size_t offset, uint8_t with)
{
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= with;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
}

static void a_foreign_or_damaged_file_is_refused(void **state)
{
    int fd = memfd_create("foreign", MFD_CLOEXEC);

    assert_int_equal(ftruncate(fd, 100), 0);
    expect_refused(fd, "not a pool file");
    fd = memfd_create("foreign", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, sizeof(struct pool_file)), 0);
    expect_refused(fd, "not a pool file");
    fd = make_pool(RAM, SHARE);
    assert_int_equal(ftruncate(fd, sizeof(struct pool_file) - 1), 0);
    expect_refused(fd, "not a pool file");
    fd = make_pool(RAM, SHARE);
    spoil(fd, offsetof(struct pool_file, version), 1);
    expect_refused(fd, "another version");
    fd = make_pool(RAM, SHARE);
    spoil(fd, offsetof(struct pool_file, layout), 1);
    expect_refused(fd, "another version");
    fd = make_pool(RAM, SHARE);
    spoil(fd, offsetof(struct pool_file, id) + 3, 0x10);
    expect_refused(fd, "damaged");
    fd = make_pool(RAM, SHARE);
    spoil(fd, offsetof(struct pool_file, count) + 3, 0x10);
    expect_refused(fd, "damaged");
    fd = make_pool(RAM, SHARE);
    spoil(fd, offsetof(struct pool_file, promises) + offsetof(struct ledger, limit) + 5, 0x10);
    expect_refused(fd, "damaged");
    expect_refused(open("/", O_RDONLY | O_DIRECTORY), "not a pool file");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_holds_its_share_until_it_is_killed),
        cmocka_unit_test(one_that_executes_is_gone),
        cmocka_unit_test(the_limit_holds_for_all_together),
        cmocka_unit_test(a_full_pool_stops_nobody_from_joining),
        cmocka_unit_test(shares_never_exceed_the_pool),
        cmocka_unit_test(killed_at_every_instruction_of_a_change),
        cmocka_unit_test(killed_at_every_instruction_of_reaping),
        cmocka_unit_test(killed_at_random_points),
        cmocka_unit_test(a_foreign_or_damaged_file_is_refused),
    };

    random_state = random_start(argc, argv);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
