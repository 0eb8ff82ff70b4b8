/* SPDX-License-Identifier: MIT */
/*
 * Budget and store are full: malloc gives NULL with ENOMEM and what was given stays whole. Refused
 * requests cost nothing, and free memory that is kept for reuse does not stand in the way of
 * others. From meson: 16 MiB of memory, 64 MiB of store.
 */
#include "heap_test.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

struct list {
    struct list *next;
    size_t size;
    unsigned char content[];
};

/* Allocate until nothing is left; each block is filled. */
static struct list *take_all(size_t size, size_t *total)
{
    struct list *list = NULL;

    *total = 0;
    for (;;) {
        errno = 0;
        struct list *block = malloc(size);
        if (!block)
            break;
        block->next = list;
        block->size = size;
        memset(block->content, (int)(size % 255) + 1, size - sizeof(*block));
        list = block;
        *total += size;
    }
    CHECK(errno == ENOMEM);
    return list;
}

static void check_and_free(struct list *list)
{
    while (list) {
        struct list *next = list->next;

        for (size_t i = 0; i < list->size - sizeof(*list); i++)
            CHECK(list->content[i] == list->size % 255 + 1);
        free(list);
        list = next;
    }
}

/* A child would need as much again: there is none, not even a dead one. */
static void check_no_fork(void)
{
    errno = 0;
    CHECK(fork() == -1 && errno == ENOMEM);
    CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
}

static void check_size(size_t size)
{
    size_t total;
    struct list *list = take_all(size, &total);

    printf("blocks of %zu: %zu bytes\n", size, total);
    CHECK(total > 56 * MIB && total <= 80 * MIB);
    errno = 0;
    CHECK(!calloc(16, MIB) && errno == ENOMEM);
    errno = 0;
    CHECK(!realloc(list, 16 * MIB) && errno == ENOMEM);
    errno = 0;
    CHECK(!memalign(4096, 16 * MIB) && errno == ENOMEM);
    void *block = list;
    CHECK(posix_memalign(&block, 64, 16 * MIB) == ENOMEM && block == list);
    check_no_fork();
    check_and_free(list);

    /* All of it at once, although just now it was many small blocks. */
    block = malloc(48 * MIB);
    CHECK(block);
    free(block);
}

static void check_refused(void)
{
    uint64_t before = stats_now().window_bytes;

    for (int i = 0; i < 20000; i++)
        CHECK(!malloc(200 * MIB));
    printf("window %llu -> %llu\n", (unsigned long long)before,
           (unsigned long long)stats_now().window_bytes);
    CHECK(stats_now().window_bytes <= before + 1024 * MIB);
}

int main(void)
{
    check_refused();
    check_size(100);
    check_size(3000);
    check_size(50000);
    check_size(MIB);
    check_refused();
    check_swapped();
    return 0;
}
