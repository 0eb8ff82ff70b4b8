/* SPDX-License-Identifier: MIT */
/*
 * Requests, the swap thread, and the synchronous engine. The other engine is uring.c.
 *
 * The swap thread is started by the first request that is handed over. It sleeps in read() or
 * io_uring on an eventfd; io_submit() writes that only when the thread said that it is going to
 * sleep.
 *
 *   thread:  NONE --io_submit()--> RUNNING --io_stop()--> STOPPING --the thread--> NONE
 *            NONE --thread_start() failed--> IMPOSSIBLE: io_submit() transfers in the caller
 *   A child of vfork() does not start it, and transfers in the caller while there is none.
 *
 * The thread has a table of descriptors of its own, with ours alone: the number of its ring cannot
 * get in the way of the program's descriptors, it holds none of those open, and a program that
 * closes all descriptors does not close those that the thread writes to.
 *
 * Lock: queue_lock guards the queue. Everything else is the swap thread's own.
 */
#include "store/io.h"

#include "base/fd.h"
#include "base/lock.h"
#include "base/msg.h"
#include "base/sys.h"
#include "base/thread.h"
#include "store/aio.h"
#include "store/inject.h"
#include "store/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

/* Interruptions of one transfer in a row, without progress, before it is given up. */
#define RETRIES_MAX 1000

enum thread_state {
    THREAD_NONE,
    THREAD_RUNNING,
    THREAD_STOPPING,
    THREAD_IMPOSSIBLE,
};

static struct lock queue_lock = LOCK_INIT(RANK_IO);
static struct io_request *queue_head;
static struct io_request **queue_tail = &queue_head;

static _Atomic uint32_t thread_state;
static _Atomic bool asleep;
static enum io_engine wanted_engine;
static int wake_fd = -1;

/* Threads that wait for a read. One more when somebody was killed at it, who was no thread of ours:
 * then nobody counts as the only one. */
static _Atomic uint32_t waiters;

/* The read that this thread begins when it waits for it. */
static __thread const struct io_request *later;

/* The process whose memory this is. A child of vfork() uses it too, but must not start the thread:
 * it would die when the child becomes another program. */
static long owner;

const struct iovec *io_remaining(const struct io_request *request, size_t most,
                                 struct iovec *scratch, unsigned *count)
{
    size_t skip = request->done;
    unsigned used = 0;

    *count = request->buffer_count;
    if (likely(skip == 0 && most >= request->length))
        return request->buffers;
    for (unsigned i = 0; i < request->buffer_count && most > 0; i++) {
        const struct iovec *from = &request->buffers[i];
        size_t begin = min_u64(skip, from->iov_len);
        size_t length = min_u64(from->iov_len - begin, most);

        skip -= begin;
        most -= length;
        if (length > 0)
            scratch[used++] = (struct iovec){(char *)from->iov_base + begin, length};
    }
    *count = used;
    return scratch;
}

int io_advance(struct io_request *request, long result)
{
    if (result == -EINTR || result == -EAGAIN)
        return ++request->retries < RETRIES_MAX ? IO_MORE : (int)result;
    if (result < 0)
        return (int)result;
    if (result == 0)
        return -EIO;
    request->retries = 0;
    request->done += (size_t)result;
    return request->done < request->length ? IO_MORE : 0;
}

static long transfer(const struct io_request *request, const struct iovec *buffers, unsigned count)
{
    return sys_call(request->kind == IO_WRITE ? SYS_pwritev : SYS_preadv, request->fd, buffers,
                    count, request->offset + request->done, 0);
}

/* Apart from io_run(), whose stack may be a small one, and seldom needed. */
static __attribute__((noinline)) long transfer_part(const struct io_request *request, size_t most)
{
    struct iovec scratch[IO_BUFFERS_MAX];
    unsigned count;
    const struct iovec *buffers = io_remaining(request, most, scratch, &count);

    return transfer(request, buffers, count);
}

static long transfer_once(const struct io_request *request)
{
    struct inject_effect effect = inject_transfer(request->kind == IO_WRITE);

    if (effect.error)
        return effect.error;
    if (likely(request->done == 0 && effect.most >= request->length))
        return transfer(request, request->buffers, request->buffer_count);
    return transfer_part(request, effect.most);
}

/* Transfer what is left. */
static int run_on(struct io_request *request)
{
    int state;

    do
        state = io_advance(request, transfer_once(request));
    while (state == IO_MORE);
    return state;
}

int io_run(struct io_request *request)
{
    request->done = 0;
    request->retries = 0;
    return run_on(request);
}

/*
 * Where others wait for reads, they use the processor while this one is read: nothing is gained by
 * beginning now. A thread that sleeps in its own read is woken by its end, where one that has left
 * it to others is told by the one whom the kernel told. Not more than one read of a thread, which
 * may have begun others.
 */
static bool may_begin_later(const struct io_request *request)
{
    return !request->early && request->length == PAGE_SIZE && !later && io_waiting() &&
           aio_submit_is_cheap();
}

void io_begin(struct io_request *request)
{
    bool now = request->direct && wanted_engine == IO_ENGINE_URING && !inject_is_on();

    request->done = 0;
    request->retries = 0;
    request->slot = -1;
    if (now && may_begin_later(request))
        later = request;
    else if (now)
        request->slot = aio_begin(request);
}

bool io_is_begun(const struct io_request *request)
{
    return request->slot >= 0;
}

int io_end(struct io_request *request)
{
    int state = IO_MORE;
    long result;

    if (later == request)
        later = NULL;
    atomic_fetch_add(&waiters, 1);
    if (request->slot >= 0 && aio_wait(request->slot, &result))
        state = io_advance(request, result);
    if (state == IO_MORE)
        state = run_on(request);
    atomic_fetch_sub(&waiters, 1);
    return state;
}

uint32_t io_waiting(void)
{
    return atomic_load_explicit(&waiters, memory_order_relaxed);
}

static void run_and_complete(struct io_request *request)
{
    int error = request->kind == IO_TASK ? 0 : io_run(request);

    request->complete(request, error);
}

static struct io_request *take_queue(void)
{
    struct io_request *head;

    lock_take(&queue_lock);
    head = queue_head;
    queue_head = NULL;
    queue_tail = &queue_head;
    lock_drop(&queue_lock);
    return head;
}

static bool has_work(void)
{
    return __atomic_load_n(&queue_head, __ATOMIC_SEQ_CST) != NULL ||
           atomic_load(&thread_state) == THREAD_STOPPING;
}

/* Say that the thread is going to sleep; false: there is work, and it must not. */
static bool may_sleep(void)
{
    atomic_store(&asleep, true);
    if (!has_work())
        return true;
    atomic_store(&asleep, false);
    return false;
}

static void wake_thread(void)
{
    uint64_t one = 1;

    if (atomic_exchange(&asleep, false))
        sys_call(SYS_write, wake_fd, &one, sizeof(one));
}

static void serve_synchronously(void)
{
    uint64_t value;

    while (atomic_load(&thread_state) == THREAD_RUNNING) {
        for (struct io_request *next, *request = take_queue(); request; request = next) {
            next = request->next;
            run_and_complete(request);
        }
        if (may_sleep())
            sys_call(SYS_read, wake_fd, &value, sizeof(value));
        atomic_store(&asleep, false);
    }
}

static void serve_ring(void)
{
    struct io_request *waiting = NULL;

    while (atomic_load(&thread_state) == THREAD_RUNNING) {
        if (!waiting)
            waiting = take_queue();
        while (waiting && uring_has_room()) {
            struct io_request *request = waiting;

            waiting = request->next;
            if (request->kind == IO_TASK)
                request->complete(request, 0);
            else
                uring_add(request);
        }
        /* With requests waiting for room there are enough in flight: one of them wakes us. */
        if (waiting || may_sleep())
            uring_wait();
        atomic_store(&asleep, false);
    }
}

static void serve(bool has_own_table)
{
    int error = has_own_table ? uring_start(wake_fd) : -EPERM;

    if (wanted_engine == IO_ENGINE_URING && error)
        msg_info("no io_uring here: writing without it, which is slower");
    if (error) {
        serve_synchronously();
    } else {
        serve_ring();
        uring_stop();
    }
}

static void run_thread(void *argument)
{
    bool has_own_table = wanted_engine == IO_ENGINE_URING && fd_leave_program() == 0;

    (void)argument;
    sys_call(SYS_prctl, PR_SET_NAME, "uswapd");
    serve(has_own_table);
    /* Before io_stop() goes on: its caller may want the files closed for good. */
    if (has_own_table)
        sys_call(SYS_close_range, 0, ~0u, 0);
    atomic_store(&thread_state, THREAD_NONE);
    futex_wake_all(&thread_state);
    sys_call(SYS_exit, 0);
}

/* With queue_lock held. */
static void start_thread(void)
{
    atomic_store(&thread_state, THREAD_RUNNING);
    if (thread_start(run_thread, NULL) == 0)
        return;
    atomic_store(&thread_state, THREAD_IMPOSSIBLE);
}

/* Whether the swap thread has it. */
static bool enqueue(struct io_request *request)
{
    bool running;

    request->next = NULL;
    lock_take(&queue_lock);
    if (atomic_load(&thread_state) == THREAD_NONE && sys_call(SYS_getpid) == owner)
        start_thread();
    running = atomic_load(&thread_state) == THREAD_RUNNING;
    if (running) {
        *queue_tail = request;
        queue_tail = &request->next;
    }
    lock_drop(&queue_lock);
    return running;
}

void io_submit(struct io_request *request)
{
    static _Atomic bool said;

    request->done = 0;
    request->retries = 0;
    if (likely(enqueue(request))) {
        wake_thread();
        return;
    }
    if (atomic_load(&thread_state) == THREAD_IMPOSSIBLE && !atomic_exchange(&said, true))
        msg_warning("no swap thread can be started: every write is waited for, which is slower");
    run_and_complete(request);
}

int io_start(enum io_engine engine)
{
    long fd = sys_call(SYS_eventfd2, 0, EFD_CLOEXEC);

    if (fd < 0)
        return (int)fd;
    wake_fd = fd_move_high((int)fd);
    wanted_engine = engine;
    owner = sys_call(SYS_getpid);
    atomic_store(&thread_state, THREAD_NONE);
    return 0;
}

void io_stop(void)
{
    uint32_t running = THREAD_RUNNING;

    if (atomic_compare_exchange_strong(&thread_state, &running, THREAD_STOPPING)) {
        wake_thread();
        while (atomic_load(&thread_state) == THREAD_STOPPING)
            futex_wait(&thread_state, THREAD_STOPPING, 0);
    }
    aio_stop();
    fd_close(wake_fd);
    wake_fd = -1;
}

/* A descriptor of an eventfd of its own takes the place of the one shared with the parent. */
static void replace_wake_fd(void)
{
    long fd = sys_call(SYS_eventfd2, 0, EFD_CLOEXEC);

    if (fd < 0)
        return;
    sys_call(SYS_dup3, fd, wake_fd, O_CLOEXEC);
    sys_call(SYS_close, fd);
}

void io_fork_child(void)
{
    owner = sys_call(SYS_getpid);
    lock_reset(&queue_lock);
    queue_head = NULL;
    queue_tail = &queue_head;
    atomic_store(&asleep, false);
    atomic_store(&waiters, 0);
    if (atomic_load(&thread_state) == THREAD_RUNNING)
        atomic_store(&thread_state, THREAD_NONE);
    replace_wake_fd();
    aio_fork_child();
}
