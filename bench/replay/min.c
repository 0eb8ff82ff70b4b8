/* SPDX-License-Identifier: MIT */
/*
 * The least possible (Belady, 1966): the page leaves that will not be touched for longest. A heap
 * has the pages in memory by their next use; an entry whose page has been touched since is stale,
 * and is the next use of nothing.
 */
#include "base/base.h"
#include "policy.h"

#define NEVER UINT32_MAX

struct entry {
    uint32_t next, page;
};

struct min {
    const struct trace *trace;
    uint32_t *next; /* of each access: when its page is touched again */
    uint32_t *wait; /* of each page: its next use while it is in memory; 0: it is not */
    struct entry *heap;
    uint64_t entries;
    uint32_t capacity, here;
};

static void *make(struct run *run)
{
    const struct trace *trace = run->trace;
    struct min *min = run_memory(run, 1, sizeof(*min));

    *min = (struct min){
        .trace = trace,
        .next = run_memory(run, trace->count, sizeof(*min->next)),
        .wait = run_memory(run, trace->limit, sizeof(*min->wait)),
        .heap = run_memory(run, trace->count, sizeof(*min->heap)),
        .capacity = run->capacity,
    };
    for (uint64_t at = trace->count; at--;) {
        uint32_t *wait = &min->wait[trace_page(trace->accesses[at])];
        min->next[at] = *wait ? *wait : NEVER;
        *wait = (uint32_t)at;
    }
    for (uint32_t page = 0; page < trace->limit; page++)
        min->wait[page] = 0;
    return min;
}

static void heap_push(struct min *min, struct entry entry)
{
    uint64_t at = min->entries++;

    for (; at && min->heap[(at - 1) / 2].next < entry.next; at = (at - 1) / 2)
        min->heap[at] = min->heap[(at - 1) / 2];
    min->heap[at] = entry;
}

static struct entry heap_pop(struct min *min)
{
    struct entry top = min->heap[0], last = min->heap[--min->entries];
    uint64_t at = 0, child;

    for (; (child = 2 * at + 1) < min->entries; at = child) {
        if (child + 1 < min->entries && min->heap[child + 1].next > min->heap[child].next)
            child++;
        if (min->heap[child].next <= last.next)
            break;
        min->heap[at] = min->heap[child];
    }
    min->heap[at] = last;
    return top;
}

static void evict(struct min *min)
{
    struct entry entry = heap_pop(min);

    while (min->wait[entry.page] != entry.next)
        entry = heap_pop(min);
    min->wait[entry.page] = 0;
}

static bool touch(void *state, uint64_t at, uint32_t page, bool write)
{
    struct min *min = state;
    bool here = min->wait[page] != 0;

    if (!here && min->here == min->capacity)
        evict(min);
    else if (!here)
        min->here++;
    min->wait[page] = min->next[at];
    heap_push(min, (struct entry){min->next[at], page});
    return here;
}

const struct policy policy_min = {"MIN", make, touch};
