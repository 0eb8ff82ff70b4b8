/* SPDX-License-Identifier: MIT */
/*
 * S3-FIFO (Yang et al., 2023): a small queue of a tenth of memory, a main one, and a memory of as
 * many pages as the main one has. Who was touched more than once while small, or comes back while
 * it is remembered, goes to the main queue, and goes round there as often as it was touched, at
 * most three times.
 */
#include "base/base.h"
#include "lists.h"

#define USES_MAX 3

enum { SMALL = 1, MAIN, GHOST };

struct s3fifo {
    struct lists lists;
    uint8_t *uses;
    uint32_t capacity, small;
};

static void *make(struct run *run)
{
    struct s3fifo *s3 = run_memory(run, 1, sizeof(*s3));

    s3->lists = lists_make(run);
    s3->uses = run_memory(run, run->trace->limit, sizeof(*s3->uses));
    s3->capacity = run->capacity;
    s3->small = (uint32_t)max_u64(run->capacity / 10, 1);
    return s3;
}

static void evict_main(struct s3fifo *s3)
{
    uint32_t page = lists_pop(&s3->lists, MAIN);

    while (s3->uses[page]) {
        s3->uses[page]--;
        lists_push(&s3->lists, MAIN, page);
        page = lists_pop(&s3->lists, MAIN);
    }
}

static void remember(struct s3fifo *s3, uint32_t page)
{
    lists_push(&s3->lists, GHOST, page);
    if (lists_count(&s3->lists, GHOST) > s3->capacity - s3->small)
        lists_pop(&s3->lists, GHOST);
}

/* False: none has left yet. */
static bool evict_small(struct s3fifo *s3)
{
    uint32_t page = lists_pop(&s3->lists, SMALL);
    bool used = s3->uses[page] > 1;

    s3->uses[page] = 0;
    if (used)
        lists_push(&s3->lists, MAIN, page);
    else
        remember(s3, page);
    return !used;
}

static void make_room(struct s3fifo *s3)
{
    struct lists *lists = &s3->lists;

    while (lists_count(lists, SMALL) + lists_count(lists, MAIN) >= s3->capacity) {
        if (lists_count(lists, SMALL) < s3->small) {
            evict_main(s3);
            return;
        }
        if (evict_small(s3))
            return;
        if (lists_count(lists, MAIN) > s3->capacity - s3->small)
            evict_main(s3);
    }
}

static bool touch(void *state, uint64_t at, uint32_t page, bool write)
{
    struct s3fifo *s3 = state;
    unsigned list = s3->lists.in[page];

    if (list == SMALL || list == MAIN) {
        s3->uses[page] += s3->uses[page] < USES_MAX;
        return true;
    }
    lists_remove(&s3->lists, page);
    make_room(s3);
    s3->uses[page] = 0;
    lists_push(&s3->lists, list == GHOST ? MAIN : SMALL, page);
    return false;
}

const struct policy policy_s3fifo = {"S3-FIFO", make, touch};
