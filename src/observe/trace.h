/* SPDX-License-Identifier: MIT */
/*
 * The trace: what happens to memory, one record an event, and the static tracepoints (USDT,
 * provider uswap) at the same places. Off, a trace point costs a look at one byte; a tracepoint
 * that nobody uses, one nop.
 *
 * Records go into rings, one for each shard of threads (status.h), and never wait: what finds a
 * ring full is counted as lost. A thread of ours fetches them and appends them to the file
 * (trace_file.c); the program has no part in that, and a slow disk loses records instead of time.
 *
 * A leaf, like the status page. All of this may be called by any thread and in the fault handler.
 */
#ifndef USWAP_OBSERVE_TRACE_H
#define USWAP_OBSERVE_TRACE_H

#include "base/base.h"
#include "observe/trace_format.h"

#include <stdatomic.h>
#include <ucontext.h>

#ifdef USWAP_USDT
#include <sys/sdt.h>
#define TRACE_PROBE(name, a, b, c) DTRACE_PROBE3(uswap, name, a, b, c)
#else
#define TRACE_PROBE(name, a, b, c)                                                                 \
    do {                                                                                           \
    } while (0)
#endif

/* What the trace asks for now and then, in pages. */
struct trace_levels {
    uint64_t resident, masked, swapped, budget;
    uint64_t packed_memory, packed_content;
};

struct trace_source {
    uint64_t window_base;
    void (*levels)(struct trace_levels *levels);
    void (*regions)(void); /* record all that there are: a child begins with those of its parent */
};

/* Begin a trace in this file, which loses what it has. At start, one thread. -errno. */
int trace_start(const char *path, const struct trace_source *source) must_check;

/* The process ends: have everything written that has been recorded; waits up to a second. */
void trace_finish(void);

/* The child of a fork begins a trace of its own, FILE.PID, with its first record. */
void trace_fork_child(void);

extern _Atomic bool trace_on __attribute__((visibility("hidden")));

static inline bool trace_is_on(void)
{
    return unlikely(atomic_load_explicit(&trace_on, memory_order_relaxed));
}

/* Of these fields: the record gets its time, its thread, and a duration from `since` on, if not 0.
 */
struct trace_event {
    uint64_t since; /* CLOCK_MONOTONIC, ns; 0: now */
    uint32_t page;
    uint32_t pages;
    uint32_t value;
    uint8_t kind;
    uint8_t flags;
};
void trace_note(const struct trace_event *event);
void trace_note_fault(const struct trace_event *event, const ucontext_t *context);
void trace_note_map(const struct trace_event *event, const char *name);

/* Pages that follow those of the event before, and of its kind, go into one record, which waits for
 * more in this thread until something else happens there, or for trace_flush(). */
void trace_note_run(enum trace_kind kind, uint32_t page, uint32_t pages);
void trace_write_run(void);
extern __thread bool trace_run_open __attribute__((visibility("hidden")));

static inline void trace_flush(void)
{
    if (trace_is_on() && trace_run_open)
        trace_write_run();
}

/* ---- The trace points ---- */

/* context: of the access; NULL: a call of the library. */
static inline void trace_fault(enum trace_kind kind, uint32_t page, bool write, uint64_t since,
                               const ucontext_t *context)
{
    TRACE_PROBE(fault, kind, page, write);
    if (trace_is_on()) {
        const struct trace_event event = {
            .since = since,
            .page = page,
            .pages = 1,
            .kind = (uint8_t)kind,
            .flags = (uint8_t)((write ? TRACE_BY_WRITE : 0) | (context ? 0 : TRACE_BY_CALL))};
        trace_note_fault(&event, context);
    }
}

/* source: the kind of the fault that brought these pages along. */
static inline void trace_ahead(uint32_t page, uint32_t pages, enum trace_kind source)
{
    TRACE_PROBE(ahead, page, pages, source);
    if (trace_is_on())
        trace_note(&(struct trace_event){
            .kind = TRACE_AHEAD, .page = page, .pages = pages, .value = source});
}

static inline void trace_mask(uint32_t page, uint32_t pages)
{
    TRACE_PROBE(mask, page, pages, 0);
    if (trace_is_on())
        trace_note_run(TRACE_MASK, page, pages);
}

static inline void trace_evict(uint32_t page, uint32_t pages)
{
    TRACE_PROBE(evict, page, pages, 0);
    if (trace_is_on())
        trace_note_run(TRACE_EVICT, page, pages);
}

static inline void trace_drop(uint32_t page, uint32_t pages)
{
    TRACE_PROBE(drop, page, pages, 0);
    if (trace_is_on())
        trace_note_run(TRACE_DROP, page, pages);
}

static inline void trace_discard(uint32_t page, uint32_t pages)
{
    TRACE_PROBE(discard, page, pages, 0);
    if (trace_is_on())
        trace_note_run(TRACE_DISCARD, page, pages);
}

static inline void trace_io(enum trace_kind kind, uint32_t slot, uint64_t bytes, uint64_t since,
                            int error)
{
    if (kind == TRACE_READ)
        TRACE_PROBE(read, slot, bytes, error);
    else
        TRACE_PROBE(write, slot, bytes, error);
    if (trace_is_on())
        trace_note(&(struct trace_event){.since = since,
                                         .kind = (uint8_t)kind,
                                         .page = slot,
                                         .pages = (uint32_t)(bytes >> PAGE_SHIFT),
                                         .flags = error ? TRACE_FAILED : 0});
}

static inline void trace_map(uint32_t page, uint32_t pages, uint32_t object_pages, const char *name)
{
    TRACE_PROBE(map, page, pages, object_pages);
    if (trace_is_on())
        trace_note_map(
            &(struct trace_event){
                .kind = TRACE_MAP, .page = page, .pages = pages, .value = object_pages},
            name);
}

static inline void trace_unmap(uint32_t page, uint32_t pages)
{
    TRACE_PROBE(unmap, page, pages, 0);
    if (trace_is_on())
        trace_note(&(struct trace_event){.kind = TRACE_UNMAP, .page = page, .pages = pages});
}

static inline void trace_fork(uint64_t since)
{
    TRACE_PROBE(fork, since, 0, 0);
    if (trace_is_on())
        trace_note(&(struct trace_event){.since = since, .kind = TRACE_FORK});
}

static inline void trace_budget(uint64_t pages)
{
    TRACE_PROBE(budget, pages, 0, 0);
    if (trace_is_on())
        trace_note(&(struct trace_event){.kind = TRACE_BUDGET, .value = (uint32_t)pages});
}

#endif
