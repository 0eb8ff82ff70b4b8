/* SPDX-License-Identifier: MIT */
/*
 * fork of a process most of whose memory is swapped out, while its other threads allocate. Child
 * and parent check every word, write their own and check again; children fork too. Streams and
 * thread-specific values work in the child. Argument: the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS  800
#define FORKS   3
#define STREAMS 100
#define KEYS    100

static uint64_t *blocks[BLOCKS];
static size_t words[BLOCKS];
static FILE *streams[STREAMS];
static pthread_key_t keys[KEYS];
static atomic_bool stop;

static void fill(uint64_t salt)
{
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t j = 0; j < words[i]; j++)
            blocks[i][j] = (salt + i) * 0x9e3779b97f4a7c15 + j;
}

static void verify(uint64_t salt)
{
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t j = 0; j < words[i]; j++)
            CHECK(blocks[i][j] == (salt + i) * 0x9e3779b97f4a7c15 + j);
}

/* Keeps jemalloc's locks, the list of streams and the engine busy. */
static void *disturb(void *seed)
{
    struct random random = {(uint64_t)(uintptr_t)seed};

    for (int i = 0; i < KEYS; i++)
        CHECK(pthread_setspecific(keys[i], &keys[i]) == 0);
    while (!atomic_load(&stop)) {
        size_t size = random_below(&random, 100000) + 1;
        char *block = malloc(size);
        FILE *stream = fopen("/dev/null", "w");

        CHECK(block && stream);
        memset(block, 1, size);
        fprintf(stream, "%zu", size);
        fclose(stream);
        free(block);
        for (int j = 0; j < KEYS; j++)
            CHECK(pthread_getspecific(keys[j]) == &keys[j]);
    }
    return NULL;
}

static void write_streams(void)
{
    for (int i = 0; i < STREAMS; i++)
        CHECK(fprintf(streams[i], "%d", i) > 0 && fflush(streams[i]) == 0);
}

/* A child and, below it, so many generations more. */
static void in_child(uint64_t salt, unsigned depth)
{
    pid_t child = 0;

    write_streams();
    verify(salt);
    fill(salt + 1000);
    while (depth > 0 && child == 0) {
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            depth--;
            write_streams();
            verify(salt + 1000);
        }
    }
    if (child > 0)
        check_child(child);
    verify(salt + 1000);
    _exit(0);
}

static void prepare(struct random *random)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        words[i] = random_below(random, 8192) + 1;
        blocks[i] = malloc(words[i] * sizeof(uint64_t));
        CHECK(blocks[i]);
    }
    for (int i = 0; i < STREAMS; i++)
        CHECK((streams[i] = fopen("/dev/null", "w")) != NULL);
    for (int i = 0; i < KEYS; i++)
        CHECK(pthread_key_create(&keys[i], NULL) == 0);
}

int main(int argc, char **argv)
{
    struct random random = random_start(argc, argv);
    pthread_t threads[2];

    prepare(&random);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, disturb, (void *)(uintptr_t)(i + 1)) == 0);
    for (uint64_t salt = 1; salt <= FORKS; salt++) {
        fill(salt);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            in_child(salt, salt % 3);
        verify(salt);
        fill(salt + 500);
        check_child(child);
        verify(salt + 500);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    check_swapped();
    return 0;
}
