/* SPDX-License-Identifier: MIT */
/* io_uring with buffers that are swapped out: at submission, while a request waits, and with a
 * poller. */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SIZE 10000

/* False: io_uring is not allowed here; with and without uswap. */
static bool start(struct io_uring *ring, unsigned flags)
{
    int error = io_uring_queue_init(8, ring, flags);

    say("start", error, "", 0);
    return error == 0;
}

static int file_of(size_t size)
{
    int fd = open("ring", O_RDWR | O_CREAT | O_TRUNC, 0600);

    for (size_t i = 0; i < size; i++)
        if (write(fd, &(char){(char)(i * 7 + i / 256)}, 1) != 1)
            exit(1);
    return fd;
}

/* Submit what is prepared and wait for one completion, in one call: when it returns uswap has seen
 * the completion, and holds the memory no longer. */
static void finish_as_it_is(struct io_uring *ring, const char *what, const void *bytes, size_t size)
{
    struct io_uring_cqe *completion;

    say("submitted", io_uring_submit_and_wait(ring, 1), "", 0);
    if (io_uring_wait_cqe(ring, &completion))
        exit(1);
    int result = completion->res;
    uint64_t user_data = completion->user_data;
    io_uring_cqe_seen(ring, completion);
    say(what, result, bytes, size);
    say("user data", (long)user_data, "", 0);
}

/* The same with everything cold. */
static void finish(struct io_uring *ring, const char *what, const void *bytes, size_t size)
{
    chill();
    finish_as_it_is(ring, what, bytes, size);
}

#define PREPARE(ring, number, call, ...)                                                           \
    do {                                                                                           \
        struct io_uring_sqe *entry_ = io_uring_get_sqe(ring);                                      \
        io_uring_prep_##call(entry_, ##__VA_ARGS__);                                               \
        entry_->user_data = number;                                                                \
    } while (0)

static void transfers(unsigned flags)
{
    char *buffer = cold(SIZE);
    struct iovec vector[2] = {{buffer + 5000, 3000}, {buffer, 1000}};
    struct iovec *cold_vector = cold_copy(vector, sizeof(vector));
    struct __kernel_timespec *soon = cold(sizeof(*soon));
    struct io_uring ring;
    int fd = file_of(SIZE);

    soon->tv_nsec = 1000000;
    if (!start(&ring, flags))
        return;
    PREPARE(&ring, 1, read, fd, buffer, SIZE, 0);
    finish(&ring, "read", buffer, SIZE);
    PREPARE(&ring, 2, write, fd, buffer, 5000, 100);
    finish(&ring, "write", "", 0);
    PREPARE(&ring, 3, readv, fd, vector, 2, 50);
    finish(&ring, "readv", buffer, SIZE);
    PREPARE(&ring, 4, writev, fd, cold_vector, 2, 7);
    finish(&ring, "writev", "", 0);
    PREPARE(&ring, 5, openat, AT_FDCWD, cold_string("no/such/file"), O_RDONLY, 0);
    finish(&ring, "openat", "", 0);
    PREPARE(&ring, 6, timeout, soon, 0, 0);
    finish(&ring, "timeout", "", 0);
    say("file", pread(fd, buffer, SIZE, 0), buffer, SIZE);
    io_uring_queue_exit(&ring);
    chill();
    close(fd);
}

static void plain(enum way way)
{
    if (way == BY_NAME)
        transfers(0);
}

static void polled(enum way way)
{
    if (way == BY_NAME)
        transfers(IORING_SETUP_SQPOLL);
}

/* The buffer may not leave while the request waits, and may when it is done. */
static void waiting(enum way way)
{
    char *buffer = cold(SIZE), *other = cold(100 * PAGE);
    struct io_uring_cqe *completion;
    struct io_uring ring;
    int pair[2];

    if (way != BY_NAME || !start(&ring, 0) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return;
    for (int i = 0; i < 3; i++) {
        chill();
        PREPARE(&ring, 7, recv, pair[0], buffer, 6000, 0);
        say("submitted", io_uring_submit(&ring), "", 0);
        memset(other, i, 100 * PAGE);
        push_out();
        memset(other + 1, i, 6000);
        say("sent", send(pair[1], other, 6000, 0), "", 0);
        if (io_uring_wait_cqe(&ring, &completion))
            exit(1);
        say("received", completion->res, buffer, SIZE);
        io_uring_cqe_seen(&ring, completion);
        PREPARE(&ring, 8, nop);
        finish_as_it_is(&ring, "nop", "", 0); /* which shows that the other is complete */
    }
    chill();
    io_uring_queue_exit(&ring);
    close(pair[0]), close(pair[1]);
}

static void registered(enum way way)
{
    char *buffer = cold(SIZE);
    struct iovec vector = {buffer, SIZE};
    struct io_uring ring;
    int fd = file_of(SIZE);

    if (way != BY_NAME || !start(&ring, 0))
        return;
    chill();
    say("register", io_uring_register_buffers(&ring, &vector, 1), "", 0);
    push_out();
    struct io_uring_sqe *next = io_uring_get_sqe(&ring);
    io_uring_prep_read_fixed(next, fd, buffer + 10, 7000, 3, 0);
    next->user_data = 9;
    say("submitted", io_uring_submit(&ring), "", 0);
    struct io_uring_cqe *completion;
    if (io_uring_wait_cqe(&ring, &completion))
        exit(1);
    say("read", completion->res, buffer, SIZE);
    io_uring_cqe_seen(&ring, completion);
    push_out();
    say("still there", 0, buffer, SIZE);
    io_uring_queue_exit(&ring);
    close(fd);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"plain", plain},
        {"polled", polled},
        {"waiting", waiting},
        {"registered", registered},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
