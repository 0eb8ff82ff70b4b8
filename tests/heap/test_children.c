/* SPDX-License-Identifier: MIT */
/*
 * What children held is given back, whatever way they end: many of them one after the other that
 * return, execute or are killed, some while they swap; children of children; and a child that
 * outlives its parent. The stores have room for a few of them only. Argument: the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS      256
#define BLOCK_WORDS (128 * 1024 / sizeof(uint64_t))
#define HEAP_BYTES  (BLOCKS * BLOCK_WORDS * sizeof(uint64_t))

/* What the parent alone may hold beyond its blocks. */
#define REST (4u << 20)

static uint64_t *blocks[BLOCKS];
static struct random seeded;

/* Processes that have blocks. */
static unsigned holders = 1;

/* What the blocks are filled with. */
static uint64_t salt;

static uint64_t content(size_t block, size_t word)
{
    return (salt + block) * 0x9e3779b97f4a7c15 + word;
}

static void fill_block(size_t i)
{
    for (size_t j = 0; j < BLOCK_WORDS; j++)
        blocks[i][j] = content(i, j);
}

static void fill(uint64_t new_salt)
{
    salt = new_salt;
    for (size_t i = 0; i < BLOCKS; i++)
        fill_block(i);
}

static void verify(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t j = 0; j < BLOCK_WORDS; j++)
            CHECK(blocks[i][j] == content(i, j));
}

static pid_t fork_checked(void)
{
    pid_t child = fork();

    if (child < 0)
        printf("fork: %s\n", strerror(errno));
    CHECK(child >= 0);
    return child;
}

/* Nothing went wrong in a child (-1: any) that may have been killed. False: there is none. */
static bool wait_for(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) < 0)
        return false;
    CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    return true;
}

/* Only what the holders hold is in use. */
static void check_used(void)
{
    uint64_t used = stats_now().store_used_bytes;

    if (used > holders * HEAP_BYTES + REST)
        printf("in use: %llu\n", (unsigned long long)used);
    CHECK(used <= holders * HEAP_BYTES + REST);
}

/* There is nothing to execute, and no /proc, from here on. False: not allowed. */
static bool leave_for_empty_root(void)
{
    return chdir("/etc") == 0 && chroot(".") == 0;
}

static _Noreturn void end_somehow(unsigned way)
{
    if (way == 0 && access("/bin/true", X_OK) == 0) {
        execl("/bin/true", "true", NULL);
        _exit(1);
    }
    if (way == 1)
        kill(getpid(), SIGKILL);
    if (fork_checked() == 0)
        _exit(0);
    _exit(!wait_for(-1));
}

static void many_children_end_in_any_way(void)
{
    for (unsigned i = 0; i < 300; i++) {
        pid_t child = fork_checked();

        if (child == 0)
            end_somehow(i % 3);
        CHECK(wait_for(child));
    }
    verify();
    check_used();
}

/* Changes all it has, again and again, until it is killed. */
static _Noreturn void swap_without_end(uint64_t seed)
{
    struct random random = {seed};

    alarm(120);
    for (;;) {
        size_t i = random_below(&random, BLOCKS);

        for (size_t j = 0; j < BLOCK_WORDS; j++)
            CHECK(blocks[i][j] == blocks[i][0] + j);
        if (random_below(&random, 4) == 0) {
            free(blocks[i]);
            blocks[i] = malloc(BLOCK_WORDS * sizeof(uint64_t));
            CHECK(blocks[i]);
        }
        salt = random_next(&random);
        fill_block(i);
    }
}

static void children_are_killed_while_they_swap(void)
{
    for (unsigned round = 0; round < 12; round++) {
        pid_t children[2];

        for (unsigned i = 0; i < 2; i++) {
            uint64_t seed = random_next(&seeded);

            children[i] = fork_checked();
            if (children[i] == 0)
                swap_without_end(seed);
        }
        usleep((useconds_t)random_below(&seeded, 150000));
        if (round % 4 == 0)
            verify();
        for (unsigned i = 0; i < 2; i++) {
            kill(children[i], SIGKILL);
            CHECK(wait_for(children[i]));
        }
    }
    verify();
    check_used();
}

/* Each generation changes some of what it has, makes the next, and is sometimes killed before that
 * ends. The last one reports. */
static _Noreturn void be_generations(unsigned depth, int report)
{
    pid_t child = 0;

    for (; child == 0 && depth > 0; depth--) {
        verify();
        fill_block(depth);
        child = fork_checked();
    }
    if (child == 0) {
        verify();
        CHECK(write(report, "x", 1) == 1);
    } else if (depth % 2) {
        kill(getpid(), SIGKILL);
    } else {
        CHECK(wait_for(child));
    }
    _exit(0);
}

/* Until all who hold the pipe have ended. */
static void wait_for_end(int report)
{
    char byte;
    bool reported = false;

    while (read(report, &byte, 1) == 1)
        reported = true;
    CHECK(reported);
}

static void children_have_children(void)
{
    for (unsigned round = 0; round < 6; round++) {
        int ends[2];
        pid_t child;

        CHECK(pipe(ends) == 0);
        child = fork_checked();
        if (child == 0)
            be_generations(4 + round % 2, ends[1]);
        close(ends[1]);
        wait_for_end(ends[0]);
        CHECK(wait_for(child));
        close(ends[0]);
    }
    usleep(100000); /* a descriptor is closed a little before its process has ended */
    check_used();
}

/* A child can get no descriptor of its own for the lock that says that it lives. */
static void children_without_proc(void)
{
    pid_t child = fork_checked();

    if (child == 0) {
        if (!leave_for_empty_root())
            _exit(0);
        holders++;
        many_children_end_in_any_way();
        _exit(0);
    }
    CHECK(wait_for(child));
    verify();
    usleep(100000);
    check_used();
}

static void free_all(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    for (unsigned look = 0; look < 100 && stats_now().store_used_bytes > REST; look++)
        usleep(20000);
    CHECK(stats_now().store_used_bytes <= REST);
}

/* It keeps its content when its parent, the other end of the pipe, has gone. */
static _Noreturn void outlive(int parent_ended)
{
    char byte;

    CHECK(read(parent_ended, &byte, 1) == 0);
    usleep(100000);
    verify();
    fill(2);
    many_children_end_in_any_way();
    free_all();
    _exit(0);
}

/* Its own end is the end of the pipe. */
static _Noreturn void be_outlived(void)
{
    int ends[2];
    pid_t child;

    CHECK(pipe(ends) == 0);
    child = fork_checked();
    if (child == 0) {
        close(ends[1]);
        outlive(ends[0]);
    }
    kill(getpid(), SIGKILL);
    _exit(1);
}

static _Noreturn void be_the_family(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        CHECK(blocks[i] = malloc(BLOCK_WORDS * sizeof(uint64_t)));
    fill(1);
    many_children_end_in_any_way();
    children_are_killed_while_they_swap();
    children_have_children();
    children_without_proc();
    check_swapped();
    be_outlived();
}

/* Only looks on: what it holds is next to nothing. */
int main(int argc, char **argv)
{
    seeded = random_start(argc, argv);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    if (fork_checked() == 0)
        be_the_family();
    while (wait_for(-1))
        ;
    CHECK(stats_now().store_used_bytes <= REST);
    return 0;
}
