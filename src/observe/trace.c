/* SPDX-License-Identifier: MIT */
/*
 * Recording. Who records holds no lock and waits for nobody: it takes cells of a ring by
 * compare-and-swap, or counts a loss.
 *
 * The stack of a sample of the faults is read by process_vm_readv(), which says EFAULT where
 * ordinary code would fault: a frame pointer may hold anything, and the stack may lie in the
 * window.
 */
#include "observe/trace.h"

#include "base/clock.h"
#include "base/context.h"
#include "base/meta.h"
#include "base/sys.h"
#include "observe/status.h"
#include "observe/trace_file.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

_Static_assert(TRACE_RINGS == STATUS_SHARDS, "each shard of threads has a ring");

/* One of so many faults has its stack taken, which is up to 16 system calls. */
#define STACK_READS  8
#define STACK_OTHERS 64

/* A frame is not larger than this, and a stack not deeper. */
#define FRAMES_SPAN (16 * MIB)

/* A run of pages waits for more of them no longer than this. */
#define RUN_NS UINT64_C(10000000)

_Atomic bool trace_on;
__thread bool trace_run_open;

static struct trace_job job;
static long process; /* whose memory this is: a child of vfork() is another one */

/* Of one thread. */
static __thread struct {
    uint32_t number;
    uint32_t reads; /* faults since the last stack */
    uint32_t others;
    struct trace_record run; /* while trace_run_open */
} mine;

/* ---- Recording ---- */

static struct trace_ring *my_ring(void)
{
    return &job.rings[status_shard() - status_page.shards];
}

static void put(const struct trace_record *record, const void *data)
{
    bool half_full;

    if (trace_ring_put(my_ring(), record, data, &half_full) && half_full)
        trace_file_wake();
    trace_file_need();
}

static uint32_t my_number(void)
{
    if (unlikely(!mine.number))
        mine.number = (uint32_t)sys_call(SYS_gettid);
    return mine.number;
}

static uint64_t time_of(uint64_t ns)
{
    return ns > job.began_ns ? ns - job.began_ns : 1;
}

static struct trace_record record_of(const struct trace_event *event)
{
    uint64_t now = clock_now_ns();
    uint64_t since = event->since ? event->since : now;

    return (struct trace_record){.time = time_of(since),
                                 .page = event->page,
                                 .pages = event->pages,
                                 .duration = (uint32_t)min_u64(now - since, UINT32_MAX),
                                 .thread = my_number(),
                                 .value = event->value,
                                 .kind = event->kind,
                                 .flags = event->flags};
}

void trace_note(const struct trace_event *event)
{
    struct trace_record record = record_of(event);

    trace_flush();
    put(&record, NULL);
}

void trace_note_map(const struct trace_event *event, const char *name)
{
    struct trace_record record = record_of(event);
    char text[sizeof(record)] = "";

    trace_flush();
    record.extra = *name != '\0';
    strncpy(text, name, sizeof(text) - 1);
    put(&record, text);
}

/* ---- Runs ---- */

void trace_write_run(void)
{
    trace_run_open = false;
    put(&mine.run, NULL);
}

void trace_note_run(enum trace_kind kind, uint32_t page, uint32_t pages)
{
    const struct trace_event event = {.kind = (uint8_t)kind, .page = page, .pages = pages};

    if (trace_run_open && mine.run.kind == kind && mine.run.page + mine.run.pages == page) {
        mine.run.pages += pages;
        return;
    }
    trace_flush();
    mine.run = record_of(&event);
    trace_run_open = true;
}

/* ---- Stacks ---- */

static bool read_words(uint64_t address, uint64_t *words, size_t count)
{
    struct iovec local = {words, count * sizeof(*words)};
    struct iovec remote = {(void *)address, local.iov_len};

    return sys_call(SYS_process_vm_readv, process, &local, 1, &remote, 1, 0) == (long)local.iov_len;
}

/* Returns how many addresses there are. */
static unsigned walk_stack(const ucontext_t *context, uint64_t addresses[TRACE_STACK_DEPTH])
{
    uint64_t bottom = context_stack_pointer(context);
    uint64_t frame = context_frame_pointer(context);
    uint64_t words[2] = {0, 0};
    unsigned count = 2;

    addresses[0] = context_instruction(context);
    addresses[1] = read_words(bottom, words, 1) ? words[0] : 0;
    while (count < TRACE_STACK_DEPTH && frame % sizeof(frame) == 0 && frame >= bottom &&
           frame - bottom < FRAMES_SPAN && read_words(frame, words, 2) && words[1]) {
        addresses[count++] = words[1];
        bottom = frame + 1;
        frame = words[0];
    }
    return count;
}

static bool wants_stack(enum trace_kind kind)
{
    uint32_t *since = kind == TRACE_FAULT_READ ? &mine.reads : &mine.others;

    return (*since)++ % (kind == TRACE_FAULT_READ ? STACK_READS : STACK_OTHERS) == 0;
}

void trace_note_fault(const struct trace_event *event, const ucontext_t *context)
{
    struct trace_record record = record_of(event);
    uint64_t addresses[TRACE_STACK_DEPTH] = {0};

    trace_flush();
    if (wants_stack(event->kind) && context) {
        unsigned count = walk_stack(context, addresses);
        record.flags |= TRACE_STACK;
        record.extra =
            (uint8_t)((count * sizeof(addresses[0]) + sizeof(record) - 1) / sizeof(record));
    }
    put(&record, addresses);
}

/* ---- Beginning and end ---- */

void trace_get_sampling(uint32_t *reads, uint32_t *others)
{
    *reads = STACK_READS;
    *others = STACK_OTHERS;
}

bool trace_is_own_process(void)
{
    return sys_call(SYS_getpid) == process;
}

int trace_start(const char *path, const struct trace_source *source)
{
    int error;

    job = (struct trace_job){.path = path,
                             .source = *source,
                             .rings = meta_reserve(TRACE_RINGS * sizeof(struct trace_ring)),
                             .began_ns = clock_now_ns()};
    process = sys_call(SYS_getpid);
    error = job.rings ? trace_file_open(&job) : -ENOMEM;
    if (error && job.rings)
        meta_release(job.rings, TRACE_RINGS * sizeof(struct trace_ring));
    trace_on = !error;
    return error;
}

void trace_finish(void)
{
    static bool ended; /* by the function at exit, before the library's destructor */

    if (!trace_is_on() || !trace_is_own_process() || ended || !trace_file_is_there())
        return;
    ended = true;
    trace_note(&(struct trace_event){.kind = TRACE_END});
    trace_file_finish();
}

/* What the parent has recorded and not fetched is its own. */
void trace_fork_child(void)
{
    if (!trace_is_on())
        return;
    for (unsigned i = 0; i < TRACE_RINGS; i++)
        meta_charge(-(int64_t)atomic_load(&job.rings[i].charged));
    meta_trim(job.rings, TRACE_RINGS * sizeof(struct trace_ring));
    memset(&mine, 0, sizeof(mine));
    trace_run_open = false;
    job.began_ns = clock_now_ns();
    process = sys_call(SYS_getpid);
    trace_file_fork_child();
}

__attribute__((destructor)) static void finish_with_the_library(void)
{
    trace_finish();
}
