/* SPDX-License-Identifier: MIT */
/* fork() in a program that uses the engine alone, without the preload library. */
#include "engine_test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define RAM   (8 * MIB)
#define SIZE  (24 * MIB)
#define HALF  (SIZE / 2)
#define STORE (256 * MIB)

static int wait_for(pid_t child)
{
    int status;

    expect(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The child sees what was there, changes it, and the parent does not see that. */
static void both_see_their_own_content(uint64_t unused)
{
    struct uswap_stats before;
    char *memory, *rest;
    pid_t child;

    engine_start(RAM, STORE);
    before = engine_stats();
    memory = engine_map(SIZE, 0);
    rest = memory + HALF;
    engine_fill(memory, HALF, 1);
    engine_fill(rest, HALF, 2);
    child = fork();
    if (child == 0) {
        engine_verify(rest, HALF, 2);
        engine_verify(memory, HALF, 1);
        engine_fill(memory, HALF, 3);
        engine_verify(rest, HALF, 2);
        engine_verify(memory, HALF, 3);
        _exit(0);
    }
    engine_fill(rest, HALF, 4);
    engine_verify(memory, HALF, 1);
    engine_verify(rest, HALF, 4);
    expect(wait_for(child) == 0);
    engine_verify(memory, HALF, 1);
    engine_verify(rest, HALF, 4);
    engine_expect_swapping(&before);
}

/* There is room for one, and the child would be a second one. */
static void what_cannot_be_promised_ends_the_child(uint64_t unused)
{
    char *memory;
    pid_t child;

    engine_start(RAM, SIZE);
    memory = engine_map(SIZE, 0);
    engine_fill(memory, SIZE, 1);
    child = fork();
    if (child == 0)
        _exit(0);
    expect(wait_for(child) == 127);
    engine_verify(memory, SIZE, 1);
}

static const struct engine_case cases[] = {
    {.name = "both_see_their_own_content", .run = both_see_their_own_content},
    {.name = "what_cannot_be_promised_ends_the_child",
     .run = what_cannot_be_promised_ends_the_child},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
