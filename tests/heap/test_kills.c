/* SPDX-License-Identifier: MIT */
/*
 * A family of processes under memory pressure, any of whom may be killed at any time: parents,
 * children, in the middle of a fork, a fault or an eviction. Those who live find in their memory
 * what they put there; when all have ended the stores are empty.
 *
 * The first process only looks on: it is the reaper of all, kills, and holds next to nothing.
 * Arguments: seconds, the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMBERS     8
#define BLOCKS      96
#define BLOCK_WORDS (128u << 10 >> 3)

/* What the first process may hold. */
#define REST (4u << 20)

/* In memory that all share. */
static struct {
    _Atomic pid_t members[MEMBERS]; /* 0: free */
    _Atomic uint64_t seeds, forks, refused, blocks_checked, wrong;
} * family;

static uint64_t *blocks[BLOCKS];

/* Of each block, swapped out as well. */
static uint64_t *salts;

static uint64_t content(size_t block, size_t word)
{
    return (salts[block] + block) * 0x9e3779b97f4a7c15 + word;
}

static void fill(size_t i, uint64_t salt)
{
    salts[i] = salt;
    for (size_t j = 0; j < BLOCK_WORDS; j++)
        blocks[i][j] = content(i, j);
}

static void verify(size_t i)
{
    for (size_t j = 0; j < BLOCK_WORDS; j++) {
        if (blocks[i][j] == content(i, j))
            continue;
        atomic_fetch_add(&family->wrong, 1);
        printf("%d: block %zu word %zu: %#llx, not %#llx\n", getpid(), i, j,
               (unsigned long long)blocks[i][j], (unsigned long long)content(i, j));
        CHECK(blocks[i][j] == content(i, j));
    }
    atomic_fetch_add(&family->blocks_checked, 1);
}

static struct random fresh_random(void)
{
    return (struct random){atomic_fetch_add(&family->seeds, 1)};
}

static bool take_place(pid_t pid)
{
    for (int i = 0; i < MEMBERS; i++) {
        pid_t free_place = 0;
        if (atomic_compare_exchange_strong(&family->members[i], &free_place, pid))
            return true;
    }
    return false;
}

static void multiply(struct random *random)
{
    pid_t child = fork();

    if (child < 0) {
        CHECK(errno == ENOMEM || errno == EAGAIN);
        atomic_fetch_add(&family->refused, 1);
    }
    if (child != 0)
        return;
    *random = fresh_random();
    atomic_fetch_add(&family->forks, 1);
    if (!take_place(getpid()))
        _exit(0);
}

static void replace(size_t i, struct random *random)
{
    free(blocks[i]);
    blocks[i] = malloc(BLOCK_WORDS * sizeof(uint64_t));
    CHECK(blocks[i]);
    fill(i, random_next(random));
}

/* Until it is killed, or ends by itself. */
static _Noreturn void live(void)
{
    struct random random = fresh_random();

    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        size_t i = random_below(&random, BLOCKS);

        switch (random_below(&random, 40)) {
        case 0:
            _exit(0);
        case 1:
        case 2:
        case 3:
            multiply(&random);
            break;
        case 4:
            CHECK(WEXITSTATUS(system("exit 5")) == 5 || errno == ECHILD);
            break;
        case 5:
        case 6:
        case 7:
        case 8:
            replace(i, &random);
            break;
        case 9:
        case 10:
        case 11:
        case 12:
            fill(i, random_next(&random));
            break;
        default:
            verify(i);
        }
    }
}

static void collect(int how)
{
    pid_t child;
    int status;

    while ((child = waitpid(-1, &status, how)) > 0) {
        bool right = status == 0 || status == SIGKILL || status == 5 << 8; /* 5: of system() */

        if (!right)
            printf("%d ended with %#x\n", child, (unsigned)status);
        CHECK(right);
    }
}

/* A place whose process has gone is free. */
static pid_t member_at(int i)
{
    pid_t pid = atomic_load(&family->members[i]);

    if (pid > 0 && kill(pid, 0) == 0)
        return pid;
    if (pid > 0)
        atomic_store(&family->members[i], 0);
    return 0;
}

/* Somebody is left: the blocks were made by the first one. */
static bool anybody_else(int victim)
{
    for (int i = 0; i < MEMBERS; i++)
        if (i != victim && member_at(i))
            return true;
    return false;
}

static void found(void)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid > 0) {
        CHECK(take_place(pid));
        return;
    }
    salts = malloc(BLOCKS * sizeof(*salts));
    CHECK(salts);
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_WORDS * sizeof(uint64_t));
        CHECK(blocks[i]);
        fill(i, i);
    }
    live();
}

static unsigned kill_at_random(struct random *random, time_t seconds)
{
    time_t end = time(NULL) + seconds;
    unsigned killed = 0;

    while (time(NULL) < end) {
        int victim = (int)random_below(random, MEMBERS);

        usleep((useconds_t)random_below(random, 40000));
        collect(WNOHANG);
        if (!anybody_else(-1))
            found();
        if (!member_at(victim) || !anybody_else(victim))
            continue;
        kill(family->members[victim], SIGKILL);
        killed++;
    }
    return killed;
}

/* Until no child is left; those that are being born have no place yet. */
static void kill_all(void)
{
    for (int look = 0; look < 2000; look++) {
        for (int i = 0; i < MEMBERS; i++)
            if (member_at(i))
                kill(family->members[i], SIGKILL);
        collect(WNOHANG);
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
        usleep(5000);
    }
    CHECK(!"all can be killed");
}

int main(int argc, char **argv)
{
    time_t seconds = argc > 1 ? atoi(argv[1]) : 10;
    struct random random = random_start(argc - (argc > 1), argv + (argc > 1));

    family = mmap(NULL, sizeof(*family), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(family != MAP_FAILED);
    atomic_store(&family->seeds, random_next(&random));
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    unsigned killed = kill_at_random(&random, seconds);
    kill_all();
    for (int look = 0; look < 100 && stats_now().store_used_bytes > REST; look++)
        usleep(10000);
    printf("%u killed, %llu forks, %llu refused, %llu blocks checked, %llu bytes left\n", killed,
           (unsigned long long)family->forks, (unsigned long long)family->refused,
           (unsigned long long)family->blocks_checked,
           (unsigned long long)stats_now().store_used_bytes);
    CHECK(family->wrong == 0);
    CHECK(killed > 3 && family->forks > 3 && family->blocks_checked > 100);
    CHECK(stats_now().store_used_bytes <= REST);
    return 0;
}
