/* SPDX-License-Identifier: MIT */
/*
 * Reads of faulting threads by Linux AIO: completions need neither the thread that submitted nor a
 * descriptor, as those of io_uring would.
 *
 * Handing a request to the device may cost as much as half of a read takes (on a virtual machine it
 * leaves the guest), whether it is one request or eight. So a thread that finds another one about
 * to submit leaves its request to that one, which goes on until none is left. And of the threads
 * that wait, one asks the kernel and tells the others. (Where handing over is fast, a thread whose
 * fault needs a single page reads it by itself while others wait: io.c.)
 *
 * Each read has a slot, a bit in three words:
 *
 *   free      nobody's
 *   pending   not handed to the kernel yet; who clears the bit does it
 *   waiting   its thread sleeps on the slot's phase
 *
 *   phase:  BEGUN --the kernel has done it--> DONE
 *           BEGUN --the kernel refused it---> REFUSED
 *
 * `submitting` and `reaping` keep threads from doing the same work twice; they are hints. A thread
 * that has waited long does it all by itself, should the one that had the hint be gone (the child
 * of a vfork() was killed, a debugger stopped it). No locks.
 */
#include "store/aio.h"

#include "base/bits.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/mean.h"
#include "base/sys.h"
#include "store/spin.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <time.h>

#define SLOTS         64
#define EVENTS        16
#define WAIT_BOUND_NS 20000000

/* A thread that nobody told anything for so many bounds does all by itself. */
#define SLEEPS_MAX 4

/* Handing over one read: 10 us where the device is near, 40 where that leaves a virtual machine
 * slowly. The mean follows the last so many; what takes longer was interrupted. */
#define SUBMIT_CHEAP_NS 20000
#define SUBMIT_WORST_NS (4 * SUBMIT_CHEAP_NS)
#define SUBMIT_WEIGHT   16

/* So many times a thread hands over what others left to it before another one has to. */
#define ROUNDS_MAX 8

/* States of the context, which is made with the first read. */
#define CONTEXT_NONE       UINT64_C(0)
#define CONTEXT_IMPOSSIBLE UINT64_MAX

enum phase {
    PHASE_BEGUN,
    PHASE_DONE,
    PHASE_REFUSED,
};

struct slot {
    struct iocb control;
    long result;
    _Atomic uint32_t phase;
} __attribute__((aligned(128)));

static struct {
    _Atomic uint64_t context;
    _Atomic bool preparing;
    _Atomic uint64_t free;
    _Atomic uint64_t pending;
    _Atomic uint64_t waiting;
    _Atomic bool submitting;
    _Atomic bool reaping;
    struct slot slots[SLOTS];
} aio = {.free = UINT64_MAX};

static _Atomic uint32_t submit_ns; /* what handing over one read took lately; a hint */

/* The context, or one that is none: the host does not allow it, or another thread is making it. */
static uint64_t find_context(void)
{
    uint64_t context = atomic_load(&aio.context);

    if (likely(context != CONTEXT_NONE) || atomic_exchange(&aio.preparing, true))
        return context;
    if (sys_call(SYS_io_setup, SLOTS, &context) < 0)
        context = CONTEXT_IMPOSSIBLE;
    atomic_store(&aio.context, context);
    return context;
}

static bool context_usable(uint64_t context)
{
    return context != CONTEXT_NONE && context != CONTEXT_IMPOSSIBLE;
}

/* ---- Submitting ---- */

static void end_slot(unsigned index, enum phase phase)
{
    struct slot *slot = &aio.slots[index];

    atomic_store(&slot->phase, phase);
    if (atomic_load(&aio.waiting) & UINT64_C(1) << index)
        futex_wake_all(&slot->phase);
}

bool aio_submit_is_cheap(void)
{
    return mean_value(&submit_ns) <= SUBMIT_CHEAP_NS;
}

static void submit_set(uint64_t set)
{
    struct iocb *controls[SLOTS];
    unsigned count = 0, done = 0;
    uint64_t start = clock_now_ns();

    for (; set; set &= set - 1)
        controls[count++] = &aio.slots[__builtin_ctzll(set)].control;
    while (done < count) {
        long result =
            sys_call(SYS_io_submit, atomic_load(&aio.context), count - done, controls + done);
        if (result > 0)
            done += (unsigned)result;
        else
            end_slot((unsigned)controls[done++]->aio_data, PHASE_REFUSED);
    }
    if (count == 1)
        mean_follow(&submit_ns, min_u64(clock_now_ns() - start, SUBMIT_WORST_NS), SUBMIT_WEIGHT);
}

static void wake_one(uint64_t set)
{
    if (set)
        futex_wake_all(&aio.slots[__builtin_ctzll(set)].phase);
}

/* Hand over what is pending, and what others leave meanwhile. */
static void submit_rounds(void)
{
    uint64_t set;

    for (int round = 0; round < ROUNDS_MAX && (set = atomic_exchange(&aio.pending, 0)); round++)
        submit_set(set);
}

/* Who leaves a request behind when `submitting` was seen is found by the look after it is clear. */
static void submit_pending(void)
{
    if (!atomic_load(&aio.pending) || atomic_exchange(&aio.submitting, true))
        return;
    submit_rounds();
    atomic_store(&aio.submitting, false);
    if (atomic_load(&aio.pending))
        wake_one(atomic_load(&aio.pending) & atomic_load(&aio.waiting));
}

/* ---- Reaping ---- */

static bool is_begun(int index)
{
    return atomic_load(&aio.slots[index].phase) == PHASE_BEGUN;
}

/* What the kernel maps at the address that is the context: the beginning of its struct aio_ring. */
struct ring_head {
    uint32_t id, entries, head, tail, magic;
};
#define RING_MAGIC 0xa10a10a1

static bool has_events(const struct ring_head *ring)
{
    return __atomic_load_n(&ring->head, __ATOMIC_RELAXED) !=
           __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
}

static void look_for_events(uint64_t start)
{
    const struct ring_head *ring = (const struct ring_head *)atomic_load(&aio.context);

    if (ring->magic != RING_MAGIC)
        return;
    while (!has_events(ring) && clock_now_ns() - start < SPIN_NS)
        cpu_relax();
}

/* This thread's read is the only one: nobody else waits who could go on while this one sleeps. */
static bool is_only_one(void)
{
    uint64_t used = ~atomic_load(&aio.free);

    return (used & (used - 1)) == 0 && io_waiting() <= 1;
}

static void reap_until_done(int index)
{
    const struct timespec bound = {0, WAIT_BOUND_NS};
    struct io_event events[EVENTS];

    while (is_begun(index)) {
        long count =
            sys_call(SYS_io_getevents, atomic_load(&aio.context), 1, EVENTS, events, &bound);
        for (long i = 0; i < count; i++) {
            aio.slots[events[i].data].result = (long)events[i].res;
            end_slot((unsigned)events[i].data, PHASE_DONE);
        }
        submit_pending();
        if (count <= 0)
            break;
    }
}

/* Who waits has said so before it looks whether somebody reaps; this looks in the other order. */
static void stop_reaping(void)
{
    atomic_store(&aio.reaping, false);
    wake_one(atomic_load(&aio.waiting));
}

static void sleep_until_told(int index)
{
    uint64_t bit = UINT64_C(1) << index;

    atomic_fetch_or(&aio.waiting, bit);
    if (atomic_load(&aio.reaping))
        futex_wait(&aio.slots[index].phase, PHASE_BEGUN, WAIT_BOUND_NS);
    atomic_fetch_and(&aio.waiting, ~bit);
}

static void wait_alone(int index)
{
    uint64_t start = clock_now_ns(), looked = 0;
    bool spin = spin_choose();

    if (spin) {
        look_for_events(start);
        looked = clock_now_ns() - start;
    }
    reap_until_done(index);
    spin_learn(spin, looked, clock_now_ns() - start);
}

static void reap(int index)
{
    if (is_only_one())
        wait_alone(index);
    else
        reap_until_done(index);
    stop_reaping();
}

bool aio_wait(int index, long *result)
{
    struct slot *slot = &aio.slots[index];
    bool done;

    for (int sleeps = 0; is_begun(index);) {
        submit_pending();
        if (!atomic_exchange(&aio.reaping, true)) {
            reap(index);
        } else if (sleeps++ < SLEEPS_MAX) {
            sleep_until_told(index);
        } else {
            submit_rounds();
            reap(index);
        }
    }
    done = atomic_load(&slot->phase) == PHASE_DONE;
    *result = slot->result;
    bits_put(&aio.free, (size_t)index);
    return done;
}

int aio_begin(const struct io_request *request)
{
    int index = context_usable(find_context()) ? bits_take(&aio.free) : -1;
    struct slot *slot;

    if (index < 0)
        return -1;
    slot = &aio.slots[index];
    slot->control = (struct iocb){
        .aio_data = (uint64_t)index,
        .aio_lio_opcode = IOCB_CMD_PREADV,
        .aio_fildes = (uint32_t)request->fd,
        .aio_buf = (uintptr_t)request->buffers,
        .aio_nbytes = request->buffer_count,
        .aio_offset = (int64_t)request->offset,
    };
    atomic_store(&slot->phase, PHASE_BEGUN);
    atomic_fetch_or(&aio.pending, UINT64_C(1) << index);
    submit_pending();
    return index;
}

static void reset(void)
{
    atomic_store(&aio.context, CONTEXT_NONE);
    atomic_store(&aio.preparing, false);
    atomic_store(&aio.free, UINT64_MAX);
    atomic_store(&aio.pending, 0);
    atomic_store(&aio.waiting, 0);
    atomic_store(&aio.submitting, false);
    atomic_store(&aio.reaping, false);
}

void aio_stop(void)
{
    if (context_usable(atomic_load(&aio.context)))
        sys_call(SYS_io_destroy, atomic_load(&aio.context));
    reset();
}

/* The two pages of the parent's ring of events stay mapped: how many there are is not told. */
void aio_fork_child(void)
{
    reset();
}
