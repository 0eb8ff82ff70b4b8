/* SPDX-License-Identifier: MIT */
/*
 * Transfers between memory and files, synchronous in the calling thread, or handed over to the swap
 * thread, "uswapd". Any thread with signals blocked and any fault handler may call these.
 */
#ifndef USWAP_STORE_IO_H
#define USWAP_STORE_IO_H

#include "base/base.h"

#include <sys/uio.h>

/* Buffers of one request at most. */
#define IO_BUFFERS_MAX 256

enum io_kind {
    IO_READ,
    IO_WRITE,
    IO_TASK, /* nothing is transferred: complete() is work for the swap thread */
};

/* A transfer. The caller sets all but the last group; length is the sum of the buffers' lengths. */
struct io_request {
    enum io_kind kind;
    int fd; /* from fd_move_high(), before the first request: the swap thread has no others */
    uint64_t offset;
    size_t length;
    const struct iovec *buffers;
    unsigned buffer_count;
    /* Called once by the swap thread, or within io_submit(): 0 or -errno. It may not wait. */
    void (*complete)(struct io_request *request, int error);

    bool direct; /* of a file with O_DIRECT: a read can be begun and waited for later */
    bool early;  /* a read that is of use only if it is begun at once */

    struct io_request *next;
    int slot;         /* of a read that was begun */
    size_t done;      /* bytes transferred so far */
    unsigned retries; /* interruptions in a row */
};

/* How requests that are handed over are carried out. */
enum io_engine {
    IO_ENGINE_URING, /* by the swap thread with io_uring; if there is none, as the next */
    IO_ENGINE_SYNC,  /* by the swap thread, one after the other */
};

/* Once, at start, not in a handler. */
int io_start(enum io_engine engine) must_check;

/* End the swap thread. No request may be in flight, and none may come. */
void io_stop(void);

/* In the child of a fork: no request is in flight; the swap thread is started again when needed. */
void io_fork_child(void);

/* Transfer all of it now. 0 or -errno; -EIO when the file ends too early. complete() is not called.
 */
int io_run(struct io_request *request) must_check;

/* The same in two halves, for a read: what the thread does in between costs no time while the
 * device is at it. Whoever begins must end, soon. */
void io_begin(struct io_request *request);
int io_end(struct io_request *request) must_check;

/* Whether the device was told of it when it was begun; else it is made when it is ended. */
bool io_is_begun(const struct io_request *request);

/* How many threads are in io_end(). */
uint32_t io_waiting(void) must_check;

/* Hand over. The request and its buffers belong to the engine until complete() is called. */
void io_submit(struct io_request *request);

/*
 * For the engines: what is left of a request, at most `most` bytes, as buffers; scratch has room
 * for IO_BUFFERS_MAX. And what to do after the kernel said result (bytes or -errno): IO_MORE, or it
 * has ended with 0 or -errno.
 */
#define IO_MORE 1
const struct iovec *io_remaining(const struct io_request *request, size_t most,
                                 struct iovec *scratch, unsigned *count);
int io_advance(struct io_request *request, long result);

#endif
