/* SPDX-License-Identifier: MIT */
/* The page that has not been touched for longest leaves. */
#include "lists.h"

enum { USED = 1 };

struct lru {
    struct lists lists;
    uint32_t capacity;
};

static void *make(struct run *run)
{
    struct lru *lru = run_memory(run, 1, sizeof(*lru));

    lru->lists = lists_make(run);
    lru->capacity = run->capacity;
    return lru;
}

static bool touch(void *state, uint64_t at, uint32_t page, bool write)
{
    struct lru *lru = state;
    bool here = lru->lists.in[page];

    if (!here && lists_count(&lru->lists, USED) == lru->capacity)
        lists_pop(&lru->lists, USED);
    lists_push(&lru->lists, USED, page);
    return here;
}

const struct policy policy_lru = {"LRU", make, touch};
