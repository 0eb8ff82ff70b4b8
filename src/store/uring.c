/* SPDX-License-Identifier: MIT */
/*
 * The io_uring engine: many requests in flight from one thread.
 *
 * Invariants
 *   No more than DEPTH requests and one read of the eventfd are in flight, so that neither ring of
 * the io_uring ever overflows. An entry whose buffers are in `scratch` is submitted before scratch
 * is used again; the kernel has copied the vector by then (IORING_FEAT_SUBMIT_STABLE).
 *
 * The pages of the rings are not inherited by children of fork, and nor is the descriptor, which
 * is in the table of the swap thread only.
 */
#include "store/uring.h"

#include "base/lock.h"
#include "base/sys.h"
#include "store/inject.h"

#include <errno.h>
#include <liburing.h>
#include <string.h>

#define DEPTH   64
#define ENTRIES (2 * DEPTH)

static struct io_uring ring;
static unsigned in_flight;
static struct iovec scratch[IO_BUFFERS_MAX];

static int wake_fd;
static uint64_t wake_value;
static bool wake_armed; /* a read of wake_fd is in flight */

int uring_start(int fd)
{
    static const unsigned flags[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                                     IORING_SETUP_COOP_TASKRUN, 0};
    int error = -EINVAL;

    for (unsigned i = 0; i < array_size(flags) && error == -EINVAL; i++) {
        struct io_uring_params params = {.flags = flags[i]};

        error = io_uring_queue_init_params(ENTRIES, &ring, &params);
        if (!error && !(params.features & IORING_FEAT_SUBMIT_STABLE)) {
            io_uring_queue_exit(&ring);
            error = -ENOSYS;
        }
    }
    if (error)
        return error;
    io_uring_ring_dontfork(&ring);
    wake_fd = fd;
    wake_armed = false;
    in_flight = 0;
    return 0;
}

void uring_stop(void)
{
    io_uring_queue_exit(&ring);
}

bool uring_has_room(void)
{
    return in_flight < DEPTH;
}

/* The ring has taken nothing: let it work off what it has. Not for long: it holds no lock of ours.
 */
static void pause_shortly(void)
{
    _Atomic uint32_t nobody = 0;

    futex_wait(&nobody, 0, 1000000);
}

static void submit(unsigned wait_for)
{
    int result = wait_for ? io_uring_submit_and_wait(&ring, wait_for) : io_uring_submit(&ring);

    if (result < 0 && result != -EINTR)
        pause_shortly();
}

static struct io_uring_sqe *next_entry(void)
{
    struct io_uring_sqe *entry;

    while (!(entry = io_uring_get_sqe(&ring)))
        submit(0);
    return entry;
}

/* Put what is left of a request into the ring. */
static void put(struct io_request *request, size_t most)
{
    struct io_uring_sqe *entry = next_entry();
    unsigned count;
    const struct iovec *buffers = io_remaining(request, most, scratch, &count);

    io_uring_prep_rw(request->kind == IO_WRITE ? IORING_OP_WRITEV : IORING_OP_READV, entry,
                     request->fd, buffers, count, request->offset + request->done);
    io_uring_sqe_set_data(entry, request);
    if (buffers == scratch)
        while (io_uring_sq_ready(&ring) > 0)
            submit(0);
}

/* Go on with a request until it is in the ring again or has ended. */
static void go_on(struct io_request *request)
{
    int state = IO_MORE;

    while (state == IO_MORE) {
        struct inject_effect effect = inject_transfer(request->kind == IO_WRITE);

        if (!effect.error) {
            put(request, effect.most);
            return;
        }
        state = io_advance(request, effect.error);
    }
    in_flight--;
    request->complete(request, state);
}

void uring_add(struct io_request *request)
{
    in_flight++;
    go_on(request);
}

static void arm_wake(void)
{
    struct io_uring_sqe *entry;

    if (wake_armed)
        return;
    entry = next_entry();
    io_uring_prep_read(entry, wake_fd, &wake_value, sizeof(wake_value), 0);
    io_uring_sqe_set_data(entry, NULL);
    wake_armed = true;
}

static void completed(struct io_request *request, long result)
{
    int state;

    if (!request) {
        wake_armed = false;
        return;
    }
    state = io_advance(request, result);
    if (state == IO_MORE) {
        go_on(request);
        return;
    }
    in_flight--;
    request->complete(request, state);
}

void uring_wait(void)
{
    struct io_uring_cqe *entry;

    arm_wake();
    submit(1);
    while (io_uring_peek_cqe(&ring, &entry) == 0) {
        struct io_request *request = io_uring_cqe_get_data(entry);
        long result = entry->res;

        io_uring_cqe_seen(&ring, entry);
        completed(request, result);
    }
}
