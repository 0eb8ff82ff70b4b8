/* SPDX-License-Identifier: MIT */
/*
 * The file and the thread that writes it, "uswapt". It is made when the first thing is recorded, in
 * each process anew; the swap thread is not used for it, because that must not wait for the disk
 * that the trace is on while memory waits for it.
 *
 * The thread has a table of descriptors of its own. The file of the process that was started is
 * opened before, so that an error can be said; that of a child by the thread itself, and the
 * program never sees it. A file that cannot be written, or is full, ends the trace, with one
 * message.
 */
#include "observe/trace_file.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/lock.h"
#include "base/meta.h"
#include "base/msg.h"
#include "base/sys.h"
#include "base/thread.h"
#include "observe/trace_modules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The file is full then. */
#define FILE_MAX_BYTES (4 * GIB)

/* How long what is recorded may wait. */
#define FETCH_NS UINT64_C(50000000)

#define FINISH_NS UINT64_C(1000000000)

static const struct trace_job *job;
static int trace_fd = -1;
static uint64_t written;
static bool in_child;

static _Atomic uint32_t thread_wanted; /* 1: it is there, or cannot be */
static _Atomic uint32_t calls;         /* futex: advances when it is to fetch */
static _Atomic uint32_t finishing;     /* futex: 1 asked for, 2 done */

/* A block that is being filled. What it takes is charged as far as it has been filled. */
static struct {
    struct trace_block head;
    char data[128 * KIB] __attribute__((aligned(8)));
} block;
static size_t block_charged;

/* ---- The file ---- */

static void fail(int error)
{
    char name[8];

    trace_on = false;
    msg_warning("--trace %s: the trace ends here (%s)", job->path, fmt_errno(error, name));
}

static void write_all(const void *data, size_t size)
{
    for (size_t done = 0; trace_on && done < size;) {
        long result = sys_call(SYS_write, trace_fd, (const char *)data + done, size - done);
        if (result == -EINTR)
            continue;
        if (result <= 0)
            fail(result ? (int)result : -EIO);
        else
            done += (size_t)result;
    }
    written += size;
}

static void charge_block(size_t size)
{
    size_t bytes = align_up(sizeof(block.head) + size, PAGE_SIZE);

    if (bytes <= block_charged)
        return;
    meta_charge((int64_t)(bytes - block_charged));
    block_charged = bytes;
}

static void write_block(enum trace_block_type type, size_t size)
{
    charge_block(size);
    if (written + size > FILE_MAX_BYTES)
        fail(-EFBIG);
    block.head = (struct trace_block){.magic = TRACE_BLOCK_MAGIC,
                                      .type = type,
                                      .size = (uint32_t)size,
                                      .check = (uint32_t)XXH3_64bits(block.data, size)};
    write_all(&block, sizeof(block.head) + size);
}

static void read_command(char *text, size_t size)
{
    long fd = sys_call(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    long length = fd < 0 ? 0 : sys_call(SYS_read, fd, text, size - 1);

    if (fd >= 0)
        sys_call(SYS_close, fd);
    for (long i = 0; i + 1 < length; i++)
        if (!text[i])
            text[i] = ' ';
}

static uint64_t real_time(void)
{
    struct timespec now = {0};

    sys_call(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void write_header(void)
{
    static struct trace_header header;
    struct trace_levels levels;

    job->source.levels(&levels);
    header = (struct trace_header){.magic = TRACE_MAGIC,
                                   .version = TRACE_VERSION,
                                   .header_size = sizeof(header),
                                   .record_size = sizeof(struct trace_record),
                                   .page_size = PAGE_SIZE,
                                   .window_base = job->source.window_base,
                                   .began = real_time() - (clock_now_ns() - job->began_ns),
                                   .budget = levels.budget * PAGE_SIZE,
                                   .pid = sys_call(SYS_getpid),
                                   .parent = sys_call(SYS_getppid)};
    trace_get_sampling(&header.stack_reads, &header.stack_others);
    read_command(header.command, sizeof(header.command));
    written = 0;
    write_all(&header, sizeof(header));
}

static long open_file(const char *path)
{
    return sys_call(SYS_openat, AT_FDCWD, path,
                    O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
}

int trace_file_open(const struct trace_job *given)
{
    long fd = open_file(given->path);

    if (fd < 0)
        return (int)fd;
    job = given;
    trace_fd = fd_move_high((int)fd);
    trace_on = true;
    write_header();
    return trace_on ? 0 : -EIO;
}

/* On the thread, whose table the program does not see. */
static void open_child_file(void)
{
    static char path[PATH_MAX];
    long fd;

    fmt_write(path, sizeof(path), "%s.%ld", job->path, sys_call(SYS_getpid));
    fd = open_file(path);
    if (fd < 0) {
        fail((int)fd);
        return;
    }
    trace_fd = (int)fd;
    write_header();
}

/* ---- Fetching ---- */

static uint64_t now_in_trace(void)
{
    return clock_now_ns() - job->began_ns + 1;
}

static struct trace_record *records(void)
{
    return (struct trace_record *)(void *)block.data;
}

/* What the levels are, with the records that have been fetched. */
static uint32_t append_levels(uint32_t count)
{
    struct trace_levels levels;
    uint64_t now = now_in_trace();

    job->source.levels(&levels);
    records()[count++] = (struct trace_record){.time = now,
                                               .kind = TRACE_PACKED,
                                               .page = (uint32_t)levels.packed_memory,
                                               .pages = (uint32_t)levels.packed_content};
    records()[count] = (struct trace_record){.time = now,
                                             .kind = TRACE_LEVELS,
                                             .page = (uint32_t)levels.resident,
                                             .pages = (uint32_t)levels.masked,
                                             .value = (uint32_t)levels.swapped,
                                             .duration = (uint32_t)levels.budget};
    return count + 1;
}

static uint32_t append_loss(struct trace_ring *ring, uint32_t count)
{
    uint32_t lost = atomic_exchange_explicit(&ring->lost, 0, memory_order_relaxed);

    if (lost)
        records()[count++] =
            (struct trace_record){.time = now_in_trace(), .kind = TRACE_OVERRUN, .value = lost};
    return count;
}

/* Rings share a block as far as it goes: a write costs much more than what is in it. */
#define BLOCK_RECORDS 1280
_Static_assert((BLOCK_RECORDS + TRACE_RINGS + 2) * sizeof(struct trace_record) <=
                   sizeof(block.data),
               "there is room for what is appended");

static void write_records(uint32_t count)
{
    trace_modules_look(records(), count);
    count = append_levels(count);
    write_block(TRACE_RECORDS, count * sizeof(struct trace_record));
}

/* What a ring can hold, not all that is put into it meanwhile, behind `count` records; returns how
 * many there are then. */
static uint32_t fetch_ring(struct trace_ring *ring, uint32_t count)
{
    uint32_t all = 0, got;

    do {
        if (count + TRACE_EXTRA_MAX >= BLOCK_RECORDS) {
            write_records(count);
            count = 0;
        }
        got = trace_ring_fetch(ring, records() + count, BLOCK_RECORDS - count);
        count += got;
        all += got;
    } while (trace_on && got && all < TRACE_RING_RECORDS);
    return append_loss(ring, count);
}

static void fetch_all(void)
{
    uint32_t count = 0;

    for (unsigned i = 0; trace_on && i < TRACE_RINGS; i++)
        if (trace_ring_is_used(&job->rings[i]))
            count = fetch_ring(&job->rings[i], count);
    if (count)
        write_records(count);
}

/* Stacks mean nothing without what was mapped then. */
static void write_modules(bool now)
{
    size_t size;

    if (!trace_on || !trace_modules_due(clock_now_ns(), now))
        return;
    size = trace_modules_read(block.data, sizeof(block.data));
    write_block(TRACE_MODULES, size);
}

/* ---- The thread ---- */

static void prepare_thread(void)
{
    sys_call(SYS_prctl, PR_SET_NAME, "uswapt");
    if (fd_leave_program())
        msg_debug("the thread of the trace shares the program's descriptors");
    if (!in_child)
        return;
    open_child_file();
    job->source.regions();
}

static void run_thread(void *argument)
{
    (void)argument;
    prepare_thread();
    while (trace_on) {
        uint32_t seen = atomic_load(&calls);
        uint32_t finish = atomic_load(&finishing);
        fetch_all();
        write_modules(finish == 1);
        if (finish == 1) {
            atomic_store(&finishing, 2);
            futex_wake_all(&finishing);
        }
        futex_wait(&calls, seen, FETCH_NS);
    }
    atomic_store(&finishing, 2);
    futex_wake_all(&finishing);
    sys_call(SYS_exit, 0);
}

void trace_file_need(void)
{
    if (likely(atomic_load_explicit(&thread_wanted, memory_order_relaxed)) ||
        atomic_exchange(&thread_wanted, 1))
        return;
    if (!trace_is_own_process())
        atomic_store(&thread_wanted, 0);
    else if (thread_start(run_thread, NULL))
        fail(-EAGAIN);
}

bool trace_file_is_there(void)
{
    return trace_fd >= 0 || atomic_load(&thread_wanted);
}

void trace_file_wake(void)
{
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    futex_wake_all(&calls);
}

void trace_file_finish(void)
{
    uint64_t until = clock_now_ns() + FINISH_NS, now;

    atomic_store(&finishing, 1);
    trace_file_wake();
    while (trace_on && atomic_load(&finishing) == 1 && (now = clock_now_ns()) < until)
        futex_wait(&finishing, 1, until - now);
}

void trace_file_fork_child(void)
{
    fd_close(trace_fd);
    trace_fd = -1;
    in_child = true;
    atomic_store(&thread_wanted, 0);
    atomic_store(&finishing, 0);
    trace_modules_forget();
}
