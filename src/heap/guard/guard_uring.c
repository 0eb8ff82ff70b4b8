/* SPDX-License-Identifier: MIT */
/*
 * We map the rings of the program a second time. When it enters the kernel we pin what the new
 * entries point to, and unpin what belongs to the completions that have appeared since.
 *
 * Invariants
 *   An operation is in `held` from before the kernel sees it until its last completion was seen
 * here; several with the same user_data stay until all of them are complete, for their completions
 * do not say which is which. Registered and provided buffers stay until the ring is closed.
 *   A ring is changed under its lock, with signals blocked; the kernel is entered without it.
 *
 * With IORING_SETUP_SQPOLL the kernel takes entries that nobody told us of. The flag is kept from
 * it: instead the ring says for ever that the poller sleeps, so the program enters the kernel for
 * each submission, which is legal with any poller.
 *
 * Limits: rings in memory of the program (IORING_SETUP_NO_MMAP) are refused as older kernels do;
 * buffers that are named only in a ring of provided buffers are not seen, nor are rings through a
 * descriptor that was duplicated.
 */
#include "heap/guard/guard_uring.h"

#include "arena/arena.h"
#include "base/meta.h"
#include "base/sigblock.h"
#include "base/sys.h"
#include "heap/guard/guard_call.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_walk.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Younger than the oldest headers. */
#define SETUP_SQE128      (1u << 10)
#define SETUP_CQE32       (1u << 11)
#define SETUP_NO_MMAP     (1u << 14)
#define SETUP_NO_SQARRAY  (1u << 16)
#define ENTER_REGISTERED  (1u << 4)
#define REGISTER_RING_FDS 20
#define REGISTER_PBUFS    22
#define SENDMSG_ZC        48

#define RINGS      64
#define REGISTERED 16 /* as many ring descriptors as a thread may register */
#define HELD_MAX   65536

/* A request that tells no size takes no larger structure. */
#define UNKNOWN_SIZE PAGE_SIZE

enum held_state { FREE, IN_FLIGHT, COMPLETE, FOR_EVER };

/* A range that is pinned; the ranges of an operation have its number. */
struct held {
    const void *address;
    size_t size;
    uint64_t user_data;
    unsigned operation;
    uint8_t state;
};

struct ring {
    pthread_mutex_t lock;
    int fd;      /* -1: free */
    bool poller; /* the program believes that there is one */
    struct io_uring_params params;
    char *entries, *sq, *cq; /* cq may be sq */
    unsigned pinned_to;      /* the submissions before this one are pinned */
    unsigned seen;           /* the completions before this one were looked at */
    unsigned operation;
    struct held *held;
    unsigned used; /* entries of held that are or were in use */
};

static struct ring rings[RINGS] = {
    [0 ... RINGS - 1] = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1}};
static _Atomic unsigned rings_used;
static __thread int registered[REGISTERED];

static struct ring *ring_of(int fd)
{
    for (unsigned i = 0; fd >= 0 && i < atomic_load(&rings_used); i++)
        if (rings[i].fd == fd)
            return &rings[i];
    return NULL;
}

static sigblock_mask lock_ring(struct ring *ring)
{
    sigblock_mask mask = sigblock_enter();

    pthread_mutex_lock(&ring->lock);
    return mask;
}

static void unlock_ring(struct ring *ring, sigblock_mask mask)
{
    pthread_mutex_unlock(&ring->lock);
    sigblock_leave(mask);
}

/* ---- Holding ---- */

static struct held *free_entry(struct ring *ring)
{
    for (unsigned i = 0; i < ring->used; i++)
        if (ring->held[i].state == FREE)
            return &ring->held[i];
    return ring->used < HELD_MAX ? &ring->held[ring->used++] : NULL;
}

/* Pin the range, or as many of its first pages as can be. */
static void hold(struct ring *ring, uint64_t user_data, enum held_state state, uint64_t at,
                 size_t size)
{
    const void *address = (const void *)(uintptr_t)at;
    struct held *entry;

    if (!size || !window_overlaps(address, size) || !(entry = free_entry(ring)))
        return;
    while (size > 0 && arena_pin(address, size) != 0) {
        size_t first_page = PAGE_SIZE - at % PAGE_SIZE;
        size = size > first_page ? align_down(at + size / 2, PAGE_SIZE) - at : 0;
        size = (intptr_t)size <= 0 ? 0 : size;
    }
    if (size)
        *entry = (struct held){address, size, user_data, ring->operation, (uint8_t)state};
}

static void hold_vector(struct ring *ring, uint64_t user_data, enum held_state state, uint64_t at,
                        size_t count)
{
    const struct iovec *vector = (const struct iovec *)(uintptr_t)at;
    guard_pins pins = guard_pins_open();

    hold(ring, user_data, state, at, count * sizeof(*vector));
    if (guard_walk_readable(vector, count * sizeof(*vector)))
        for (size_t i = 0; i < count; i++)
            hold(ring, user_data, state, (uintptr_t)vector[i].iov_base, vector[i].iov_len);
    guard_pins_close(pins);
}

static void hold_message(struct ring *ring, uint64_t user_data, uint64_t at)
{
    const struct msghdr *message = (const struct msghdr *)(uintptr_t)at;
    guard_pins pins = guard_pins_open();

    hold(ring, user_data, IN_FLIGHT, at, sizeof(*message));
    if (guard_walk_readable(message, sizeof(*message))) {
        hold(ring, user_data, IN_FLIGHT, (uintptr_t)message->msg_name, message->msg_namelen);
        hold(ring, user_data, IN_FLIGHT, (uintptr_t)message->msg_control, message->msg_controllen);
        hold_vector(ring, user_data, IN_FLIGHT, (uintptr_t)message->msg_iov, message->msg_iovlen);
    }
    guard_pins_close(pins);
}

static void hold_entry(struct ring *ring, const struct io_uring_sqe *entry)
{
    uint64_t user_data = entry->user_data;

    ring->operation++;
    switch (entry->opcode) {
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
        hold_vector(ring, user_data, IN_FLIGHT, entry->addr, entry->len);
        return;
    case IORING_OP_SENDMSG:
    case IORING_OP_RECVMSG:
    case SENDMSG_ZC:
        hold_message(ring, user_data, entry->addr);
        return;
    case IORING_OP_PROVIDE_BUFFERS:
        hold(ring, user_data, FOR_EVER, entry->addr, (size_t)entry->len * (size_t)entry->fd);
        return;
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_READ_FIXED:
    case IORING_OP_WRITE_FIXED:
    case IORING_OP_RECV:
        hold(ring, user_data, IN_FLIGHT, entry->addr, entry->len);
        return;
    default: /* names, addresses, times */
        hold(ring, user_data, IN_FLIGHT, entry->addr, max_u64(entry->len, UNKNOWN_SIZE));
        hold(ring, user_data, IN_FLIGHT, entry->off, UNKNOWN_SIZE);
        return;
    }
}

static unsigned *sq_word(const struct ring *ring, unsigned offset)
{
    return (unsigned *)(void *)(ring->sq + offset);
}

static unsigned *cq_word(const struct ring *ring, unsigned offset)
{
    return (unsigned *)(void *)(ring->cq + offset);
}

static const struct io_uring_sqe *entry_at(const struct ring *ring, unsigned at)
{
    unsigned index = at & (ring->params.sq_entries - 1);
    unsigned shift = ring->params.flags & SETUP_SQE128 ? 7 : 6;

    if (!(ring->params.flags & SETUP_NO_SQARRAY))
        index = sq_word(ring, ring->params.sq_off.array)[index] & (ring->params.sq_entries - 1);
    return (const struct io_uring_sqe *)(void *)(ring->entries + ((size_t)index << shift));
}

/* Returns how many entries wait. */
static unsigned hold_submissions(struct ring *ring, unsigned most)
{
    unsigned head = __atomic_load_n(sq_word(ring, ring->params.sq_off.head), __ATOMIC_ACQUIRE);
    unsigned tail = __atomic_load_n(sq_word(ring, ring->params.sq_off.tail), __ATOMIC_ACQUIRE);
    unsigned count = (unsigned)min_u64(tail - head, most);

    if ((int)(ring->pinned_to - head) < 0)
        ring->pinned_to = head;
    for (; (int)(head + count - ring->pinned_to) > 0; ring->pinned_to++)
        hold_entry(ring, entry_at(ring, ring->pinned_to));
    return count;
}

/* ---- Letting go ---- */

static void let_go(struct held *entry)
{
    struct held old = *entry;

    entry->state = FREE;
    arena_unpin(old.address, old.size);
}

/* One operation with this number is complete: the ranges of all go when all are. */
static void complete(struct ring *ring, uint64_t user_data)
{
    unsigned operation = 0, left = 0;

    for (unsigned i = 0; i < ring->used; i++) {
        struct held *entry = &ring->held[i];
        if (entry->state != IN_FLIGHT || entry->user_data != user_data)
            continue;
        if (!operation)
            operation = entry->operation;
        if (entry->operation == operation)
            entry->state = COMPLETE;
        else
            left++;
    }
    for (unsigned i = 0; !left && i < ring->used; i++)
        if (ring->held[i].state == COMPLETE && ring->held[i].user_data == user_data)
            let_go(&ring->held[i]);
}

static void look_at_completions(struct ring *ring)
{
    unsigned tail = __atomic_load_n(cq_word(ring, ring->params.cq_off.tail), __ATOMIC_ACQUIRE);
    unsigned shift = ring->params.flags & SETUP_CQE32 ? 5 : 4;

    for (; ring->seen != tail; ring->seen++) {
        size_t index = ring->seen & (ring->params.cq_entries - 1);
        const struct io_uring_cqe *completion =
            (const struct io_uring_cqe *)(void *)(ring->cq + ring->params.cq_off.cqes +
                                                  (index << shift));
        if (!(completion->flags & IORING_CQE_F_MORE))
            complete(ring, completion->user_data);
    }
}

/* ---- The calls ---- */

static void *map(int fd, size_t size, uint64_t offset)
{
    long at = sys_call(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
                       offset);

    return at < 0 && at > -4096 ? NULL : (void *)at;
}

static size_t entries_size(const struct io_uring_params *params)
{
    return (size_t)params->sq_entries << (params->flags & SETUP_SQE128 ? 7 : 6);
}

static size_t cq_size(const struct io_uring_params *params)
{
    return params->cq_off.cqes +
           ((size_t)params->cq_entries << (params->flags & SETUP_CQE32 ? 5 : 4));
}

/* Where there is one mapping of both rings it is as large as the larger. */
static size_t sq_size(const struct io_uring_params *params)
{
    size_t size = params->sq_off.array + params->sq_entries * sizeof(unsigned);

    return params->features & IORING_FEAT_SINGLE_MMAP ? max_u64(size, cq_size(params)) : size;
}

static bool map_ring(struct ring *ring)
{
    const struct io_uring_params *params = &ring->params;
    bool one = params->features & IORING_FEAT_SINGLE_MMAP;

    ring->sq = map(ring->fd, sq_size(params), IORING_OFF_SQ_RING);
    ring->cq = one ? ring->sq : map(ring->fd, cq_size(params), IORING_OFF_CQ_RING);
    ring->entries = map(ring->fd, entries_size(params), IORING_OFF_SQES);
    ring->held = meta_reserve(HELD_MAX * sizeof(struct held));
    return ring->sq && ring->cq && ring->entries && ring->held;
}

static struct ring *new_ring(int fd)
{
    for (unsigned i = 0; i < RINGS; i++) {
        int none = -1;
        if (!__atomic_compare_exchange_n(&rings[i].fd, &none, fd, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_SEQ_CST))
            continue;
        if (i >= atomic_load(&rings_used))
            atomic_store(&rings_used, i + 1);
        return &rings[i];
    }
    return NULL;
}

static bool follow(int fd, const struct io_uring_params *params, bool poller)
{
    struct ring *ring = new_ring(fd);

    if (!ring)
        return false;
    ring->params = *params;
    ring->poller = poller;
    ring->pinned_to = ring->seen = ring->used = ring->operation = 0;
    if (!map_ring(ring)) {
        ring->fd = -1;
        return false;
    }
    if (poller)
        __atomic_or_fetch(sq_word(ring, params->sq_off.flags), IORING_SQ_NEED_WAKEUP,
                          __ATOMIC_SEQ_CST);
    return true;
}

long guard_uring_setup(const long arguments[6])
{
    const unsigned of_poller = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF;
    struct io_uring_params *given = (struct io_uring_params *)arguments[1], params;
    guard_pins pins = guard_pins_open();
    long fd = -EFAULT;

    if (!guard_walk_readable(given, sizeof(*given)))
        goto out;
    params = *given;
    fd = -EINVAL;
    if (params.flags & SETUP_NO_MMAP)
        goto out;
    params.flags &= ~of_poller;
    fd = sys_call(SYS_io_uring_setup, arguments[0], &params);
    if (fd < 0)
        goto out;
    if (!follow((int)fd, &params, given->flags & IORING_SETUP_SQPOLL)) {
        sys_call(SYS_close, fd);
        fd = -ENOMEM;
        goto out;
    }
    params.flags |= given->flags & of_poller;
    *given = params;
out:
    guard_pins_close(pins);
    return fd;
}

static struct ring *entered_ring(int fd, unsigned flags)
{
    if (!(flags & ENTER_REGISTERED))
        return ring_of(fd);
    return fd >= 0 && fd < REGISTERED ? ring_of(registered[fd] - 1) : NULL;
}

long guard_uring_enter(const long arguments[6])
{
    const unsigned of_poller = IORING_ENTER_SQ_WAKEUP | IORING_ENTER_SQ_WAIT;
    struct ring *ring = entered_ring((int)arguments[0], (unsigned)arguments[3]);
    long changed[6];
    sigblock_mask mask;

    if (!ring)
        return guard_call(SYS_io_uring_enter, arguments);
    memcpy(changed, arguments, sizeof(changed));
    mask = lock_ring(ring);
    look_at_completions(ring);
    unsigned waiting = hold_submissions(ring, ring->poller ? ~0u : (unsigned)arguments[1]);
    unlock_ring(ring, mask);
    if (ring->poller) {
        changed[1] = waiting;
        changed[3] &= ~(long)of_poller;
    }
    long result = guard_call(SYS_io_uring_enter, changed);
    mask = lock_ring(ring);
    look_at_completions(ring);
    unlock_ring(ring, mask);
    return ring->poller && result >= 0 ? arguments[1] : result;
}

/* What the kernel keeps hold of. */
static void hold_registered(struct ring *ring, unsigned operation, uint64_t at, unsigned count)
{
    const uint64_t *words = (const uint64_t *)(uintptr_t)at;
    sigblock_mask mask = lock_ring(ring);
    guard_pins pins = guard_pins_open();

    ring->operation++;
    if (operation == IORING_REGISTER_BUFFERS)
        hold_vector(ring, 0, FOR_EVER, at, count);
    else if (operation == IORING_REGISTER_BUFFERS2 && guard_walk_readable(words, 32))
        hold_vector(ring, 0, FOR_EVER, words[2], (uint32_t)words[0]);
    else if (operation == IORING_REGISTER_BUFFERS_UPDATE && guard_walk_readable(words, 32))
        hold_vector(ring, 0, FOR_EVER, words[1], (uint32_t)words[3]);
    else if (operation == REGISTER_PBUFS && guard_walk_readable(words, 16))
        hold(ring, 0, FOR_EVER, words[0], (size_t)(uint32_t)words[1] * 16);
    guard_pins_close(pins);
    unlock_ring(ring, mask);
}

/* struct io_uring_rsrc_update: where, reserved, the descriptor. */
struct ring_update {
    uint32_t offset, reserved;
    uint64_t fd;
};

static void note_ring_fds(const struct ring_update *updates, long count)
{
    for (long i = 0; i < count; i++)
        if (updates[i].offset < REGISTERED)
            registered[updates[i].offset] = (int)updates[i].fd + 1;
}

long guard_uring_register(const long arguments[6])
{
    unsigned operation = (unsigned)arguments[1] & 0x7fffffff;
    struct ring *ring = (unsigned)arguments[1] == operation ? ring_of((int)arguments[0]) : NULL;

    if (ring)
        hold_registered(ring, operation, (uint64_t)arguments[2], (unsigned)arguments[3]);
    long result = guard_call(SYS_io_uring_register, arguments);
    if (operation == REGISTER_RING_FDS && result > 0)
        note_ring_fds((const struct ring_update *)arguments[2], result);
    return result;
}

void guard_uring_close(int fd)
{
    struct ring *ring = ring_of(fd);
    sigblock_mask mask;

    if (likely(!ring))
        return;
    mask = lock_ring(ring);
    for (unsigned i = 0; i < ring->used; i++)
        if (ring->held[i].state != FREE)
            let_go(&ring->held[i]);
    meta_release(ring->held, HELD_MAX * sizeof(struct held));
    sys_call(SYS_munmap, ring->entries, entries_size(&ring->params));
    if (ring->cq != ring->sq)
        sys_call(SYS_munmap, ring->cq, cq_size(&ring->params));
    sys_call(SYS_munmap, ring->sq, sq_size(&ring->params));
    ring->fd = -1;
    unlock_ring(ring, mask);
}
