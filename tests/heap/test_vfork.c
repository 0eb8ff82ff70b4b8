/* SPDX-License-Identifier: MIT */
/*
 * A child of vfork() has the memory of its parent, and faults, is served, makes system calls on it;
 * it is killed at random times. Nothing that it began may be left for its parent to wait for, who
 * goes through all of its memory after each. Arguments: seconds, the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define BLOCKS      64
#define BLOCK_WORDS (256u << 10 >> 3)
#define PAGE_WORDS  512

/* A parent that waits so long waits for ever. */
#define HANGS_SECONDS 20

static uint64_t *blocks[BLOCKS];
static _Atomic pid_t victim;
static atomic_bool over;
static int zero, null;

/* The child's: its parent's stack is not what it should change. */
static struct random child_random;
static _Atomic uint64_t touched;

static uint64_t content(size_t block, size_t word)
{
    return block * 0x9e3779b97f4a7c15 + word;
}

/* ---- The child ---- */

static void use(void)
{
    size_t i = random_below(&child_random, BLOCKS);
    size_t j = random_below(&child_random, BLOCK_WORDS - 2 * PAGE_WORDS);

    switch (random_below(&child_random, 8)) {
    case 0:
        CHECK(write(null, &blocks[i][j], 8 * PAGE_WORDS) == 8 * PAGE_WORDS);
        break;
    case 1:
        CHECK(pread(zero, &blocks[i][j], 0, 0) == 0);
        break;
    case 2:
    case 3:
    case 4:
        CHECK(blocks[i][j] == content(i, j));
        break;
    default:
        blocks[i][j] = content(i, j);
    }
    atomic_fetch_add(&touched, 1);
}

static _Noreturn void live(void)
{
    atomic_store(&victim, getpid());
    for (;;)
        use();
}

/* ---- Its parent ---- */

static void *kill_children(void *seed)
{
    struct random random = {(uint64_t)(uintptr_t)seed};

    while (!atomic_load(&over)) {
        pid_t child = atomic_load(&victim);

        if (!child) {
            usleep(50);
            continue;
        }
        usleep((useconds_t)random_below(&random, 6000));
        atomic_store(&victim, 0);
        CHECK(kill(child, SIGKILL) == 0);
    }
    return NULL;
}

static void verify_all(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t j = 0; j < BLOCK_WORDS; j += PAGE_WORDS / 2)
            CHECK(blocks[i][j] == content(i, j));
}

static void have_one_killed(void)
{
    int status;
    pid_t child = vfork();

    if (child == 0)
        live();
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(int argc, char **argv)
{
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 8);
    struct random random = random_start(argc - (argc > 1), argv + (argc > 1));
    unsigned killed = 0;
    pthread_t killer;

    zero = open("/dev/zero", O_RDONLY);
    null = open("/dev/null", O_WRONLY);
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_WORDS * sizeof(uint64_t));
        CHECK(blocks[i]);
        for (size_t j = 0; j < BLOCK_WORDS; j++)
            blocks[i][j] = content(i, j);
    }
    child_random = (struct random){random_next(&random)};
    CHECK(pthread_create(&killer, NULL, kill_children, (void *)(uintptr_t)random_next(&random)) ==
          0);
    while (time(NULL) < end) {
        alarm(HANGS_SECONDS);
        have_one_killed();
        verify_all();
        killed++;
    }
    /* What waits for all who are at work. */
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    check_child(child);
    atomic_store(&over, true);
    CHECK(pthread_join(killer, NULL) == 0);
    printf("%u killed, %llu uses\n", killed, (unsigned long long)touched);
    CHECK(killed > 3);
    check_swapped();
    return 0;
}
