/* SPDX-License-Identifier: MIT */
/*
 * fork at moments that are not convenient: in a signal handler that interrupts malloc, in several
 * threads at once while others fault, when there is no room for another child, fifty at once, twice
 * to become a daemon, with threads on stacks from the heap, after setenv; and system() and its kin
 * under memory pressure. Argument: the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS      40
#define BLOCK_WORDS (256u << 10 >> 3)

/* What may be in use beside the blocks. */
#define REST (4u << 20)

static uint64_t *blocks[BLOCKS];
static uint64_t salts[BLOCKS];

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
    for (size_t j = 0; j < BLOCK_WORDS; j++)
        CHECK(blocks[i][j] == content(i, j));
}

static void verify_all(void)
{
    for (size_t i = 0; i < BLOCKS; i++)
        verify(i);
}

/* When all children have ended, only what this process holds is in use. */
static void check_used(void)
{
    uint64_t most = sizeof(uint64_t) * BLOCK_WORDS * BLOCKS + REST;

    for (int look = 0; look < 100 && stats_now().store_used_bytes > most; look++)
        usleep(10000);
    if (stats_now().store_used_bytes > most)
        printf("in use: %llu\n", (unsigned long long)stats_now().store_used_bytes);
    CHECK(stats_now().store_used_bytes <= most);
}

/* ---- In a signal handler ---- */

static volatile sig_atomic_t handled, is_child;

static void fork_here(int signo)
{
    int saved = errno;
    pid_t child = fork();

    if (child == 0) {
        verify((size_t)handled % BLOCKS);
        is_child = handled % 2;
        if (is_child)
            return;
        _exit(0);
    }
    check_child(child);
    handled = handled + 1;
    errno = saved;
}

static void reallocate(struct random *random, void *held[64])
{
    size_t i = random_below(random, 64), size = random_below(random, 60000) + 1;

    free(held[i]);
    held[i] = malloc(size);
    CHECK(held[i]);
    memset(held[i], 1, size);
}

/* Every second child returns from the handler, and ends what was interrupted. */
static void in_a_handler_that_interrupts_malloc(struct random *random)
{
    void *held[64] = {0};
    int armed = -1;

    signal(SIGALRM, fork_here);
    while (handled < 30 && !is_child) {
        if (armed < handled) {
            struct itimerval once = {.it_value = {0, (int)random_below(random, 2000) + 1}};
            armed = handled;
            CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
        }
        reallocate(random, held);
    }
    for (int i = 0; is_child && i < 200; i++)
        reallocate(random, held);
    for (size_t i = 0; i < 64; i++)
        free(held[i]);
    if (is_child)
        _exit(0);
    verify_all();
}

/* ---- In threads ---- */

static atomic_bool over;

static void *fault(void *seed)
{
    struct random random = {(uint64_t)(uintptr_t)seed};

    while (!atomic_load(&over)) {
        size_t i = random_below(&random, BLOCKS), j = random_below(&random, BLOCK_WORDS);

        CHECK(blocks[i][j] == content(i, j));
        free(memset(malloc(20000), 1, 20000));
    }
    return NULL;
}

static void *fork_some(void *number)
{
    for (size_t i = 0; i < 6; i++) {
        pid_t child = fork();

        if (child == 0) {
            size_t mine = ((size_t)(uintptr_t)number * 6 + i) % BLOCKS;
            verify(mine);
            fill(mine, 77);
            verify(mine);
            verify((mine + 1) % BLOCKS);
            _exit(0);
        }
        check_child(child);
    }
    return NULL;
}

static void in_threads_while_others_fault(struct random *random)
{
    pthread_t faulters[8], forkers[3];

    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&faulters[i], NULL, fault, (void *)(uintptr_t)random_next(random)) ==
              0);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK(pthread_create(&forkers[i], NULL, fork_some, (void *)i) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(forkers[i], NULL) == 0);
    atomic_store(&over, true);
    for (int i = 0; i < 8; i++)
        CHECK(pthread_join(faulters[i], NULL) == 0);
    verify_all();
}

/* libc goes through a list in the stacks of all threads, in the child, before any handler. */
static void with_threads_on_stacks_from_the_heap(void)
{
    enum { THREADS = 6, STACK = 64 << 10 };
    pthread_attr_t attributes;
    pthread_t threads[THREADS];
    char *stacks[THREADS];

    atomic_store(&over, false);
    pthread_attr_init(&attributes);
    for (uintptr_t i = 0; i < THREADS; i++) {
        stacks[i] = malloc(STACK);
        CHECK(stacks[i] && pthread_attr_setstack(&attributes, stacks[i], STACK) == 0);
        CHECK(pthread_create(&threads[i], &attributes, fault, (void *)(i + 1)) == 0);
    }
    for (uintptr_t i = 0; i < 4; i++)
        fork_some((void *)i);
    atomic_store(&over, true);
    for (int i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        free(stacks[i]);
    }
}

/* ---- Many ---- */

/* Each finds what its parent had, changes some of it, and finds that. */
static _Noreturn void be_one_of_many(uint64_t seed)
{
    struct random random = {seed};

    for (int i = 0; i < 6; i++) {
        size_t block = random_below(&random, BLOCKS);

        verify(block);
        if (i % 3 == 0)
            fill(block, random_next(&random));
    }
    for (size_t i = 0; i < BLOCKS; i += 10)
        verify(i);
    _exit(0);
}

static void fifty_at_once(struct random *random)
{
    pid_t children[50];

    for (int i = 0; i < 50; i++) {
        uint64_t seed = random_next(random);

        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0)
            be_one_of_many(seed);
        fill((size_t)i % BLOCKS, seed);
    }
    for (int i = 0; i < 50; i++)
        check_child(children[i]);
    verify_all();
    check_used();
}

/* Until there is no room for what one more could write. The one who is refused loses nothing. */
static void until_there_is_no_room(void)
{
    pid_t children[200];
    int ends[2], count = 0;
    size_t more = 96u << 20;
    char *large = malloc(more);

    CHECK(large && pipe(ends) == 0);
    memset(large, 1, 1 << 20);
    while (count < 200 && (children[count] = fork()) >= 0) {
        if (children[count] == 0) {
            char byte;
            close(ends[1]);
            CHECK(read(ends[0], &byte, 1) == 0);
            verify((size_t)count % BLOCKS);
            _exit(0);
        }
        count++;
    }
    printf("%d children\n", count);
    CHECK(count > 0 && count < 200 && (errno == ENOMEM || errno == EAGAIN));
    CHECK(system("exit 3") == 3 << 8);
    fill(0, 4711);
    verify_all();
    close(ends[0]);
    close(ends[1]);
    for (int i = 0; i < count; i++)
        check_child(children[i]);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    free(large);
    pid_t child = fork();
    if (child == 0)
        be_one_of_many(1);
    check_child(child);
    check_used();
}

/* ---- Other programs, and none ---- */

static void a_daemon_keeps_its_memory(void)
{
    int ends[2];
    char byte = 0;

    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(daemon(1, 1) == 0);
        verify_all();
        fill(1, 99);
        verify_all();
        CHECK(write(ends[1], "x", 1) == 1);
        _exit(0);
    }
    check_child(child);
    close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
    CHECK(read(ends[0], &byte, 1) == 0);
    close(ends[0]);
}

#define VALUE 9000

/* setenv() puts strings and the array on the heap: the child, before our handler, must not need
 * them. */
static void after_setenv(void)
{
    char *value = malloc(VALUE);

    CHECK(value);
    memset(value, 'v', VALUE);
    value[VALUE - 1] = 0;
    for (int i = 0; i < 20; i++) {
        char name[20];
        snprintf(name, sizeof(name), "VARIABLE%d", i);
        CHECK(setenv(name, value, 1) == 0);
    }
    verify_all(); /* pushes them out */
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();

        if (child == 0) {
            CHECK(strcmp(getenv("VARIABLE7"), value) == 0);
            CHECK(setenv("VARIABLE7", "other", 1) == 0);
            verify(3);
            _exit(0);
        }
        check_child(child);
    }
    CHECK(strcmp(getenv("VARIABLE19"), value) == 0);
    for (int i = 0; i < 20; i++) {
        char name[20];
        snprintf(name, sizeof(name), "VARIABLE%d", i);
        unsetenv(name);
    }
    free(value);
}

extern char **environ;

static void starting_programs_under_pressure(void)
{
    for (int i = 0; i < 12; i++) {
        char *command = malloc(100), *script = malloc(10), line[100] = "";
        char *argv[] = {script, strcpy(malloc(10), "-c"), command, NULL};
        pid_t child;

        snprintf(command, 100, "echo %d; exit %d", i, i);
        strcpy(script, "sh");
        verify((size_t)i * 3);
        verify((size_t)i * 3 + 1);
        FILE *stream = popen(command, "r");
        CHECK(stream && fgets(line, sizeof(line), stream) && atoi(line) == i);
        CHECK(pclose(stream) == i << 8);
        snprintf(command, 100, "exit %d", i);
        verify((size_t)i * 2);
        CHECK(system(command) == i << 8);
        verify((size_t)i);
        CHECK(posix_spawnp(&child, script, NULL, NULL, argv, environ) == 0);
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == i << 8);
        child = vfork();
        if (child == 0) {
            execvp(script, argv);
            _exit(99);
        }
        CHECK(waitpid(child, &status, 0) == child && status == i << 8);
        free(command);
        free(script);
        free(argv[1]);
    }
}

int main(int argc, char **argv)
{
    struct random random = random_start(argc, argv);

    for (size_t i = 0; i < BLOCKS; i++) {
        CHECK(blocks[i] = malloc(BLOCK_WORDS * sizeof(uint64_t)));
        fill(i, i);
    }
    in_a_handler_that_interrupts_malloc(&random);
    after_setenv();
    starting_programs_under_pressure();
    a_daemon_keeps_its_memory();
    fifty_at_once(&random);
    in_threads_while_others_fault(&random);
    with_threads_on_stacks_from_the_heap();
    until_there_is_no_room();
    verify_all();
    check_swapped();
    return 0;
}
