/* SPDX-License-Identifier: MIT */
/*
 * The face of the IO part: several stores behind one range of slot numbers.
 *
 * Each store has whole units of slots, one store after the other, so that slot 0, the header page
 * of the first store, does not exist.
 *
 * Everything that is in flight is counted in `inflight`, reads and writes alike; fork holds it.
 */
#include "store/store.h"

#include "base/clock.h"
#include "base/fmt.h"
#include "base/mean.h"
#include "base/msg.h"
#include "base/sigblock.h"
#include "base/size.h"
#include "observe/parts.h"
#include "observe/trace.h"
#include "store/checksum.h"
#include "store/inflight.h"
#include "store/member.h"
#include "store/packed.h"
#include "store/reserve.h"
#include "store/stores.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(STORE_RUN_MAX <= IO_BUFFERS_MAX, "a run is one request");

/* More slots than this have no number: 16 TiB. */
#define UNITS_MAX (UINT32_MAX / UNIT_SLOTS)

/* Writes in a row that may fail before a store is given up. */
#define FAILURES_MAX 4

struct store stores[USWAP_MAX_STORES];
unsigned stores_count;

/* A mean of times follows the last so many writes, of those that were begun with many pages in
 * flight. */
#define WRITE_WEIGHT  8
#define WRITE_MANY    64
#define WRITE_NS_MOST 10000000

/* Members looked at by one fork whether they live. */
#define FORK_LOOKS 32

static uint64_t capacity;
static struct inflight inflight;
static _Atomic unsigned writes_in_flight;
static _Atomic uint32_t pages_in_flight; /* of writes */
static _Atomic uint32_t write_ns;        /* what a page took lately, where many were in flight */

/* The member that a fork is about to make. */
static unsigned child;

static struct store_task shrink_task;
static _Atomic bool shrink_pending;
static struct store_task grow_task;
static _Atomic bool grow_pending;

static struct store *store_of(slot_t slot)
{
    unsigned i = stores_count - 1;

    while (stores[i].first_unit > slot / UNIT_SLOTS)
        i--;
    return &stores[i];
}

static uint64_t offset_of(const struct store *store, slot_t slot)
{
    return (slot - (uint64_t)store->first_unit * UNIT_SLOTS) * PAGE_SIZE;
}

/* Open one store behind those that are open. */
static int open_one(const char *path, uint64_t size)
{
    struct store *store = &stores[stores_count];
    const struct store *before = stores_count ? store - 1 : NULL;
    int error;

    *store = (struct store){.failures = 0};
    store->first_unit = before ? before->first_unit + before->unit_count : 0;
    error = file_open(&store->file, path, size);
    if (error)
        return error;
    store->file.size =
        min_u64(store->file.size, (uint64_t)(UNITS_MAX - store->first_unit) * UNIT_BYTES);
    store->unit_count = (uint32_t)(align_up(store->file.size, UNIT_BYTES) / UNIT_BYTES);
    capacity += store->file.size - store->file.header;
    stores_count++;
    return 0;
}

/* The header, and what is missing of the last unit, are no slots. */
static void exclude_edges(const struct store *store)
{
    uint64_t first = (uint64_t)store->first_unit * UNIT_SLOTS;
    uint64_t pages = store->file.size / PAGE_SIZE;

    slot_exclude((slot_t)first, (unsigned)(store->file.header / PAGE_SIZE));
    slot_exclude((slot_t)(first + pages),
                 (unsigned)((uint64_t)store->unit_count * UNIT_SLOTS - pages));
}

static int start_tables(void)
{
    const struct store *last = &stores[stores_count - 1];
    int error = slot_start((uint64_t)(last->first_unit + last->unit_count) * UNIT_SLOTS);

    if (error)
        return error;
    for (unsigned i = 0; i < stores_count; i++)
        exclude_edges(&stores[i]);
    return reserve_start();
}

static enum io_engine choose_engine(void)
{
    const char *name = getenv("USWAP_IO");

    if (name && strcmp(name, "sync") == 0)
        return IO_ENGINE_SYNC;
    if (name && name[0] && strcmp(name, "uring") != 0)
        msg_warning("USWAP_IO=%s: is neither uring nor sync; taken as uring", name);
    return IO_ENGINE_URING;
}

static int open_all(const struct uswap_store_options *options, unsigned count)
{
    int error = count == 0 ? open_one(NULL, 0) : 0;

    for (unsigned i = 0; i < count && !error; i++)
        error = open_one(options[i].path, options[i].size);
    return error;
}

static void close_all(void)
{
    for (unsigned i = 0; i < stores_count; i++)
        file_close(&stores[i].file);
    stores_count = 0;
    capacity = 0;
}

int store_check(const struct uswap_store_options *options, unsigned count)
{
    int error = open_all(options, count);

    close_all();
    return error;
}

int store_open(const struct uswap_store_options *options, unsigned count)
{
    int error = checksum_start();

    inflight_reset(&inflight);
    if (!error)
        error = member_start();
    if (!error)
        error = open_all(options, count);
    if (!error)
        error = start_tables();
    if (!error)
        error = io_start(choose_engine());
    if (error)
        store_close();
    return error;
}

void store_close(void)
{
    inflight_hold(&inflight);
    io_stop();
    packed_stop();
    codec_stop();
    reserve_stop();
    slot_stop();
    close_all();
    member_stop();
    inflight_release(&inflight);
}

uint64_t store_capacity(void)
{
    return capacity;
}

uint64_t store_used(void)
{
    return slot_used() * PAGE_SIZE;
}

static struct store_task *task_of(struct io_request *request)
{
    return (void *)((char *)request - offsetof(struct store_task, request));
}

static void task_is_due(struct io_request *request, int error)
{
    struct store_task *task = task_of(request);

    (void)error;
    task->run(task);
    inflight_end(&inflight);
}

static void submit_task(struct store_task *task)
{
    task->request = (struct io_request){.kind = IO_TASK, .complete = task_is_due};
    io_submit(&task->request);
}

void store_run(struct store_task *task)
{
    inflight_begin(&inflight);
    submit_task(task);
}

/* Step by step, so that writes are not held up for long. */
static void run_shrink_task(struct store_task *task)
{
    if (reserve_shrink_step() && !inflight_is_held(&inflight)) {
        inflight_begin_within(&inflight);
        submit_task(task);
    } else {
        atomic_store(&shrink_pending, false);
    }
}

/* Have the swap thread give back what is more than enough. */
static void start_shrinking(void)
{
    if (atomic_exchange(&shrink_pending, true))
        return;
    shrink_task.run = run_shrink_task;
    store_run(&shrink_task);
}

int store_reserve(uint64_t bytes)
{
    sigblock_mask mask;
    bool too_much = false;
    int error;

    if (likely(reserve_is_right(bytes)))
        return 0;
    /* Who commits may have signals open; a handler that faults takes the locks of the slots, too.
     */
    mask = sigblock_enter();
    error = reserve_bytes(bytes, &too_much);
    if (too_much)
        start_shrinking();
    sigblock_leave(mask);
    return error;
}

static void run_grow_task(struct store_task *task)
{
    (void)task;
    reserve_grow_step();
    atomic_store(&grow_pending, false);
}

void store_ask_for_more(void)
{
    if (atomic_exchange(&grow_pending, true))
        return;
    grow_task.run = run_grow_task;
    inflight_begin_within(&inflight);
    submit_task(&grow_task);
}

int store_take_slots(unsigned want, slot_t *first, unsigned *count)
{
    return slot_take(want, first, count);
}

/* Those that compressed RAM is writing out are dropped when that is done. */
void store_drop_references(const slot_t *slots, size_t count)
{
    size_t from = 0;

    for (size_t i = 0; packed_is_on() && i < count; i++) {
        if (packed_forget(slots[i]))
            continue;
        slot_drop_references(slots + from, i - from);
        from = i + 1;
    }
    slot_drop_references(slots + from, count - from);
}

void store_retire_slots(slot_t first, unsigned count)
{
    slot_retire(first, count);
}

uint64_t store_free_slots(void)
{
    return slot_available();
}

uint64_t store_page_checksum(const void *page)
{
    return checksum_page(page);
}

int store_open_packed(enum codec codec, uint64_t bytes)
{
    const struct store *last = &stores[stores_count - 1];
    int error = codec_start(codec);

    if (error || codec == CODEC_NONE)
        return error;
    return packed_start((uint64_t)(last->first_unit + last->unit_count) * UNIT_SLOTS,
                        (uint32_t)min_u64(bytes / PACKED_SEGMENT_BYTES, UINT32_MAX));
}

bool store_pack(const void *page, uint64_t checksum, bool dense, slot_t *slot)
{
    struct packed_page packed;
    unsigned count;
    bool kept = false;

    if (!codec_pack(page, dense, &packed))
        return false;
    if (slot_take(1, slot, &count) == 0) {
        kept = packed_put(*slot, &packed, checksum, false);
        if (!kept)
            slot_drop_references(slot, 1);
    }
    codec_release(&packed);
    stats_add(STAT_PAGES_PACKED, kept);
    return kept;
}

void store_keep_packed(slot_t slot, const struct packed_page *packed, uint64_t checksum)
{
    if (packed_put(slot, packed, checksum, true))
        stats_add(STAT_PAGES_PACKED, 1);
}

int store_read_packed(slot_t slot, void *page)
{
    int error = packed_get(slot, page);

    if (!error)
        stats_add(STAT_PAGES_UNPACKED, 1);
    return error;
}

static size_t total_length(const struct iovec *buffers, unsigned count)
{
    size_t length = 0;

    for (unsigned i = 0; i < count; i++)
        length += buffers[i].iov_len;
    return length;
}

static struct io_request make_request(enum io_kind kind, slot_t first, const struct iovec *buffers,
                                      unsigned count)
{
    const struct store *store = store_of(first);

    return (struct io_request){.kind = kind,
                               .fd = store->file.fd,
                               .offset = offset_of(store, first),
                               .length = total_length(buffers, count),
                               .buffers = buffers,
                               .buffer_count = count};
}

static void count_transfer(enum stats_counter counter, const struct io_request *request, int error)
{
    stats_add(counter, request->done);
    if (error)
        stats_add(STAT_IO_ERRORS, 1);
}

void store_read_begin(struct store_read *read, slot_t first, const struct iovec *buffers,
                      unsigned buffer_count)
{
    read->first = first;
    read->request = make_request(IO_READ, first, buffers, buffer_count);
    read->request.direct = store_of(first)->file.direct;
    read->request.early = read->early;
    read->begun_ns = clock_now_ns();
    inflight_begin(&inflight);
    io_begin(&read->request);
}

/* How long an early one took is not known: it may have ended before it was waited for. */
int store_read_end(struct store_read *read)
{
    struct io_request *request = &read->request;
    int error = io_end(request);

    if (!read->early)
        stats_time(HISTOGRAM_READ, clock_now_ns() - read->begun_ns);
    parts_end(PART_IO);
    file_was_read(&store_of(read->first)->file, request->offset, request->done);
    inflight_end(&inflight);
    count_transfer(STAT_BYTES_READ, request, error);
    trace_io(TRACE_READ, read->first, request->done, read->begun_ns, error);
    return error;
}

bool store_read_is_begun(const struct store_read *read)
{
    return io_is_begun(&read->request);
}

void store_read_give_up(struct store_read *read)
{
    if (!store_read_is_begun(read))
        inflight_end(&inflight);
    else if (store_read_end(read))
        return; /* that nobody wants: who does reads it again, and is told */
}

int store_read(slot_t first, const struct iovec *buffers, unsigned buffer_count)
{
    struct store_read read = {.early = false};

    store_read_begin(&read, first, buffers, buffer_count);
    return store_read_end(&read);
}

static struct store_write *write_of(struct io_request *request)
{
    return (void *)((char *)request - offsetof(struct store_write, request));
}

/* A store that fails write after write is given up, so that the next ones go elsewhere. A full file
 * system may have space again. */
static void judge(struct store *store, int error)
{
    char name[8];

    if (!error)
        atomic_store_explicit(&store->failures, 0, memory_order_relaxed);
    if (!error || error == -ENOSPC || error == -EDQUOT)
        return;
    if (atomic_fetch_add(&store->failures, 1) + 1 != FAILURES_MAX)
        return;
    slot_close_units(store->first_unit, store->first_unit + store->unit_count);
    msg_warning("--swap %s: writes fail (%s): nothing more is written there", store->file.path,
                fmt_errno(error, name));
}

/* Where many pages are in flight, the device gets through them in the time that the last one takes.
 */
static void note_write(const struct store_write *write, uint64_t took)
{
    uint64_t one = min_u64(took / write->in_flight, WRITE_NS_MOST);

    if (write->in_flight >= WRITE_MANY)
        mean_follow(&write_ns, one, mean_value(&write_ns) ? WRITE_WEIGHT : 1);
    atomic_fetch_sub(&pages_in_flight, write->count);
}

uint32_t store_write_ns(void)
{
    return mean_value(&write_ns);
}

static void write_ended(struct io_request *request, int error)
{
    struct store_write *write = write_of(request);
    struct store *store = store_of(write->first);
    uint64_t took = clock_now_ns() - write->submitted_ns;

    stats_time(HISTOGRAM_WRITE, took);
    note_write(write, took);
    count_transfer(STAT_BYTES_WRITTEN, request, error);
    trace_io(TRACE_WRITE, write->first, request->done, write->submitted_ns, error);
    judge(store, error);
    file_was_written(&store->file, request->offset, request->done);
    atomic_fetch_sub(&writes_in_flight, 1);
    write->done(write, error);
    inflight_end(&inflight);
}

void store_submit(struct store_write *write)
{
    if (write->within)
        inflight_begin_within(&inflight);
    else
        inflight_begin(&inflight);
    atomic_fetch_add(&writes_in_flight, 1);
    write->in_flight = atomic_fetch_add(&pages_in_flight, write->count) + write->count;
    write->submitted_ns = clock_now_ns();
    write->request = make_request(IO_WRITE, write->first, write->buffers, write->buffer_count);
    write->request.complete = write_ended;
    io_submit(&write->request);
}

unsigned store_writes_in_flight(void)
{
    return atomic_load(&writes_in_flight);
}

const char *store_describe(slot_t slot, char *buffer, size_t size)
{
    const struct store *store = store_of(slot);

    fmt_write(buffer, size, "%s%s offset %lu", packed_has(slot) ? "compressed RAM for " : "",
              store->file.path, offset_of(store, slot));
    return buffer;
}

void store_promise(int64_t bytes)
{
    member_promise(bytes);
}

uint64_t store_promised(void)
{
    return member_promised();
}

uint64_t store_promised_by_all(void)
{
    return member_promised_by_all();
}

void store_reap(void)
{
    sigblock_mask mask = sigblock_enter();

    slot_reap(MEMBERS_MAX);
    sigblock_leave(mask);
}

/* Of many members a few are looked at with each fork, which is more than it adds. */
int store_fork_admit(void)
{
    int error;

    slot_reap(FORK_LOOKS);
    error = member_fork_prepare(&child);
    if (!error)
        return 0;
    slot_reap(MEMBERS_MAX);
    return member_fork_prepare(&child);
}

void store_fork_dismiss(void)
{
    slot_give_back(child);
    member_fork_parent();
}

void store_fork_prepare(void)
{
    inflight_hold(&inflight);
    slot_share(child);
}

void store_fork_parent(void)
{
    member_fork_parent();
    inflight_release(&inflight);
}

void store_fork_child(void)
{
    member_fork_child();
    io_fork_child();
    packed_fork_child();
    atomic_store(&shrink_pending, false);
    atomic_store(&grow_pending, false);
    inflight_reset(&inflight);
}
