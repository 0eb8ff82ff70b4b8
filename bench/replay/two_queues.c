/* SPDX-License-Identifier: MIT */
/*
 * 2Q in full (Johnson and Shasha, 1994): new pages are in a queue of a quarter of memory; who comes
 * back while it is remembered, as long as half of memory is, goes to an LRU list.
 */
#include "base/base.h"
#include "lists.h"

enum { IN = 1, OUT, MAIN };

struct two_queues {
    struct lists lists;
    uint32_t capacity, most_in, most_out;
};

static void *make(struct run *run)
{
    struct two_queues *queues = run_memory(run, 1, sizeof(*queues));

    queues->lists = lists_make(run);
    queues->capacity = run->capacity;
    queues->most_in = (uint32_t)max_u64(run->capacity / 4, 1);
    queues->most_out = (uint32_t)max_u64(run->capacity / 2, 1);
    return queues;
}

static void make_room(struct two_queues *queues)
{
    struct lists *lists = &queues->lists;

    if (lists_count(lists, IN) + lists_count(lists, MAIN) < queues->capacity)
        return;
    if (lists_count(lists, IN) > queues->most_in || !lists_count(lists, MAIN)) {
        lists_push(lists, OUT, lists_pop(lists, IN));
        if (lists_count(lists, OUT) > queues->most_out)
            lists_pop(lists, OUT);
    } else {
        lists_pop(lists, MAIN);
    }
}

static bool touch(void *state, uint64_t at, uint32_t page, bool write)
{
    struct two_queues *queues = state;
    unsigned list = queues->lists.in[page];

    if (list == IN)
        return true;
    if (list == OUT) /* it must not be forgotten just now */
        lists_remove(&queues->lists, page);
    if (list != MAIN)
        make_room(queues);
    lists_push(&queues->lists, list == LIST_NONE ? IN : MAIN, page);
    return list == MAIN;
}

const struct policy policy_two_queues = {"2Q", make, touch};
