/* SPDX-License-Identifier: MIT */
/* System calls that move data between memory and descriptors, on memory that is swapped out. */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#define SIZE 10000

static char pattern[SIZE];

static void fill_pattern(void)
{
    for (size_t i = 0; i < SIZE; i++)
        pattern[i] = (char)(i * 7 + i / 256);
}

/* A file with the pattern, or an empty one. */
static int file_with(const void *bytes, size_t size)
{
    int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
        exit(1);
    return fd;
}

/* What the file holds now. */
static void say_file(int fd)
{
    static char content[3 * SIZE];
    ssize_t size = pread(fd, content, sizeof(content), 0);

    say("file", size, content, (size_t)size);
    close(fd);
}

static void plain(enum way way)
{
    char *buffer = cold(SIZE);
    int fd = file_with(pattern, SIZE);

    say("read", CALL(read(fd, buffer, SIZE), SYS_read, fd, buffer, SIZE), buffer, SIZE);
    say("pread", CALL(pread(fd, buffer, 5000, 1000), SYS_pread64, fd, buffer, 5000, 1000), buffer,
        SIZE);
    say("read at end", CALL(read(fd, buffer, SIZE), SYS_read, fd, buffer, SIZE), buffer, SIZE);
    close(fd);
    fd = file_with("", 0);
    say("write", CALL(write(fd, buffer, SIZE), SYS_write, fd, buffer, SIZE), buffer, SIZE);
    say("pwrite", CALL(pwrite(fd, buffer, 5000, 777), SYS_pwrite64, fd, buffer, 5000, 777), "", 0);
    say_file(fd);
    say("bad fd", CALL(read(-1, buffer, SIZE), SYS_read, -1, buffer, SIZE), "", 0);
}

/* An array of three in cold memory, with buffers in cold memory, outside it, and empty. */
static struct iovec *vector_of(char *buffer, char *outside)
{
    struct iovec vector[3] = {{buffer, 5000}, {outside, 100}, {buffer + 5000, 3000}};

    return cold_copy(vector, sizeof(vector));
}

static void vectors(enum way way)
{
    static char outside[100];
    char *buffer = cold(SIZE);
    struct iovec *vector = vector_of(buffer, outside);
    int fd = file_with(pattern, SIZE);

    say("readv", CALL(readv(fd, vector, 3), SYS_readv, fd, vector, 3), buffer, SIZE);
    say("preadv", CALL(preadv(fd, vector, 3, 50), SYS_preadv, fd, vector, 3, 50, 0), buffer, SIZE);
    say("preadv2", CALL(preadv2(fd, vector, 3, 99, 0), SYS_preadv2, fd, vector, 3, 99, 0, 0),
        buffer, SIZE);
    say("outside", 0, outside, sizeof(outside));
    close(fd);
    fd = file_with("", 0);
    say("writev", CALL(writev(fd, vector, 3), SYS_writev, fd, vector, 3), "", 0);
    say("pwritev", CALL(pwritev(fd, vector, 3, 50), SYS_pwritev, fd, vector, 3, 50, 0), "", 0);
    say("pwritev2", CALL(pwritev2(fd, vector, 3, 99, 0), SYS_pwritev2, fd, vector, 3, 99, 0, 0), "",
        0);
    say_file(fd);
    volatile int none = -1;
    say("too many", CALL(readv(0, vector, none), SYS_readv, 0, vector, none), "", 0);
}

/* The array on the stack, the buffers cold: what the filter cannot see. */
static void hidden_vectors(enum way way)
{
    char *buffer = cold(SIZE);
    struct iovec vector[2] = {{buffer, 5000}, {buffer + 5000, 3000}};
    int fd = file_with(pattern, SIZE);

    say("readv", CALL(readv(fd, vector, 2), SYS_readv, fd, vector, 2), buffer, SIZE);
    say("preadv2", CALL(preadv2(fd, vector, 2, 7, 0), SYS_preadv2, fd, vector, 2, 7, 0, 0), buffer,
        SIZE);
    say("pwritev", CALL(pwritev(fd, vector, 2, 9), SYS_pwritev, fd, vector, 2, 9, 0), "", 0);
    say_file(fd);
    void *volatile nowhere = (void *)(3 * PAGE);
    say("wrong", CALL(readv(0, nowhere, 1), SYS_readv, 0, nowhere, 1), "", 0);
}

static void hidden_messages(enum way way)
{
    char *buffer = cold(SIZE), *received = cold(SIZE);
    struct iovec out[2] = {{buffer, 4000}, {buffer + 4000, 1000}}, in = {received, SIZE};
    struct mmsghdr sent[1] = {{.msg_hdr = {.msg_iov = out, .msg_iovlen = 2}}};
    struct mmsghdr got[1] = {{.msg_hdr = {.msg_iov = &in, .msg_iovlen = 1}}};
    struct msghdr *message = &sent[0].msg_hdr, *answer = &got[0].msg_hdr;
    int pair[2];

    memcpy(buffer, pattern, SIZE);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
        exit(1);
    say("sendmsg", CALL(sendmsg(pair[0], message, 0), SYS_sendmsg, pair[0], message, 0), "", 0);
    void *volatile nowhere = (void *)(3 * PAGE);
    say("wrong", CALL(sendmsg(pair[0], nowhere, 0), SYS_sendmsg, pair[0], nowhere, 0), "", 0);
    say("recvmsg", CALL(recvmsg(pair[1], answer, 0), SYS_recvmsg, pair[1], answer, 0), received,
        SIZE);
    say("sendmmsg", CALL(sendmmsg(pair[0], sent, 1, 0), SYS_sendmmsg, pair[0], sent, 1, 0), "", 0);
    memset(received, 0, SIZE);
    say("recvmmsg", CALL(recvmmsg(pair[1], got, 1, 0, NULL), SYS_recvmmsg, pair[1], got, 1, 0, 0),
        received, SIZE);
    close(pair[0]);
    close(pair[1]);
}

static void many_vectors(enum way way)
{
    char *buffer = cold(300 * PAGE);
    struct iovec *vector = cold(300 * sizeof(*vector));
    int fd = file_with("", 0);

    for (int i = 0; i < 300; i++) {
        buffer[i * PAGE] = (char)i;
        vector[i] = (struct iovec){buffer + i * PAGE, 3};
    }
    say("writev", CALL(writev(fd, vector, 300), SYS_writev, fd, vector, 300), "", 0);
    say_file(fd);
}

/* Larger than what may be pinned at once. */
static void large(enum way way)
{
    size_t size = 5 << 20;
    char *buffer = cold(size);
    int fd = file_with("", 0);

    for (size_t i = 0; i < size; i += 512)
        buffer[i] = (char)(i / 512 * 11);
    say("write", CALL(write(fd, buffer, size), SYS_write, fd, buffer, size), "", 0);
    memset(buffer, 0, size);
    say("pread", CALL(pread(fd, buffer, size, 0), SYS_pread64, fd, buffer, size, 0), buffer, size);
    struct iovec *vector = cold(3 * sizeof(*vector));
    vector[0] = (struct iovec){buffer, size / 2};
    vector[1] = (struct iovec){buffer + size / 2, 0};
    vector[2] = (struct iovec){buffer + size / 2, size / 2};
    say("pwritev", CALL(pwritev(fd, vector, 3, 11), SYS_pwritev, fd, vector, 3, 11, 0), "", 0);
    memset(buffer, 0, size);
    say("preadv", CALL(preadv(fd, vector, 3, 11), SYS_preadv, fd, vector, 3, 11, 0), buffer, size);
    close(fd);
}

/* A buffer at the end of its memory, and a size beyond it: what there is to read decides. */
static void size_beyond_buffer(enum way way)
{
    char *buffer = cold(SIZE);
    int fd = file_with(pattern, 3000);

    say("read", CALL(read(fd, buffer, 1 << 30), SYS_read, fd, buffer, 1 << 30), buffer, 3000);
    close(fd);
}

static void streams(enum way way)
{
    char *buffer = cold(SIZE);
    int pair[2];

    memcpy(buffer, pattern, SIZE);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        exit(1);
    say("send", CALL(send(pair[0], buffer, 6000, 0), SYS_sendto, pair[0], buffer, 6000, 0, 0, 0),
        "", 0);
    say("recv peek",
        CALL(recv(pair[1], buffer, 100, MSG_PEEK), SYS_recvfrom, pair[1], buffer, 100, MSG_PEEK, 0,
             0),
        buffer, SIZE);
    say("recv",
        CALL(recv(pair[1], buffer + 1, 6000, 0), SYS_recvfrom, pair[1], buffer + 1, 6000, 0, 0, 0),
        buffer, SIZE);
    int *waiting = cold(sizeof(int));
    say("ioctl", CALL(ioctl(pair[1], FIONREAD, waiting), SYS_ioctl, pair[1], FIONREAD, waiting),
        waiting, sizeof(*waiting));
    int *value = cold(sizeof(int));
    socklen_t *length = cold(sizeof(*length));
    *length = sizeof(int);
    say("getsockopt",
        CALL(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, value, length), SYS_getsockopt, pair[0],
             SOL_SOCKET, SO_TYPE, value, length),
        value, sizeof(*value));
    *value = 20000;
    say("setsockopt",
        CALL(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, value, 4), SYS_setsockopt, pair[0],
             SOL_SOCKET, SO_SNDBUF, value, 4),
        length, sizeof(*length));
    close(pair[0]);
    close(pair[1]);
}

static struct msghdr *message_of(char *buffer, char *control)
{
    struct iovec vector[2] = {{buffer, 3000}, {buffer + 3000, 2000}};
    struct msghdr message = {.msg_iov = cold_copy(vector, sizeof(vector)), .msg_iovlen = 2};

    message.msg_control = control;
    message.msg_controllen = control ? CMSG_SPACE(sizeof(int)) : 0;
    return cold_copy(&message, sizeof(message));
}

static void put_descriptor(struct msghdr *message, int fd)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

static void messages(enum way way)
{
    char *buffer = cold(SIZE), *received = cold(SIZE);
    char *control = cold(CMSG_SPACE(sizeof(int)));
    struct msghdr *message = message_of(buffer, control);
    int pair[2];

    memcpy(buffer, pattern, SIZE);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
        exit(1);
    put_descriptor(message, pair[0]);
    say("sendmsg", CALL(sendmsg(pair[0], message, 0), SYS_sendmsg, pair[0], message, 0), "", 0);
    message = message_of(received, control);
    memset(control, 0, CMSG_SPACE(sizeof(int)));
    say("recvmsg", CALL(recvmsg(pair[1], message, 0), SYS_recvmsg, pair[1], message, 0), received,
        SIZE);
    say("control", (long)message->msg_controllen, control, sizeof(struct cmsghdr));
    struct mmsghdr *several = cold(2 * sizeof(*several));
    several[0].msg_hdr = *message_of(buffer, NULL);
    several[1].msg_hdr = *message_of(buffer + 2, NULL);
    say("sendmmsg", CALL(sendmmsg(pair[0], several, 2, 0), SYS_sendmmsg, pair[0], several, 2, 0),
        "", 0);
    several[0].msg_hdr = *message_of(received, NULL);
    several[1].msg_hdr = *message_of(received + 5000, NULL);
    say("recvmmsg",
        CALL(recvmmsg(pair[1], several, 2, 0, NULL), SYS_recvmmsg, pair[1], several, 2, 0, 0),
        received, SIZE);
    say("lengths", several[0].msg_len, &several[1].msg_len, sizeof(unsigned));
    close(pair[0]);
    close(pair[1]);
}

static void addresses(enum way way)
{
    struct sockaddr_in *address = cold(sizeof(*address));
    socklen_t *length = cold(sizeof(*length));
    char *buffer = cold(SIZE);
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_STREAM, 0);

    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    say("bind", CALL(bind(a, (void *)address, sizeof(*address)), SYS_bind, a, address, 16), "", 0);
    *length = sizeof(*address);
    say("getsockname",
        CALL(getsockname(a, (void *)address, length), SYS_getsockname, a, address, length), length,
        sizeof(*length));
    strcpy(buffer, "hello");
    say("sendto",
        CALL(sendto(a, buffer, 6, 0, (void *)address, 16), SYS_sendto, a, buffer, 6, 0, address,
             16),
        "", 0);
    memset(buffer, 0, SIZE);
    say("recvfrom",
        CALL(recvfrom(a, buffer, SIZE, 0, (void *)address, length), SYS_recvfrom, a, buffer, SIZE,
             0, address, length),
        buffer, 10);
    if (bind(b, (void *)address, sizeof(*address)) || listen(b, 1))
        exit(1);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    say("connect", CALL(connect(c, (void *)address, 16), SYS_connect, c, address, 16), "", 0);
    int d = (int)CALL(accept4(b, (void *)address, length, 0), SYS_accept4, b, address, length, 0);
    say("accept", d >= 0, length, sizeof(*length));
    say("getpeername",
        CALL(getpeername(d, (void *)address, length), SYS_getpeername, d, address, length), length,
        sizeof(*length));
    close(a), close(b), close(c), close(d);
}

static void between_descriptors(enum way way)
{
    off_t *offset = cold(sizeof(*offset)), *target = cold(sizeof(*target));
    int fd = file_with(pattern, SIZE), out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int pipes[2];

    *offset = 100;
    say("sendfile", CALL(sendfile(out, fd, offset, 5000), SYS_sendfile, out, fd, offset, 5000),
        offset, sizeof(*offset));
    *target = 50;
    say("copy_file_range",
        CALL(copy_file_range(fd, offset, out, target, 500, 0), SYS_copy_file_range, fd, offset, out,
             target, 500, 0),
        target, sizeof(*target));
    if (pipe(pipes))
        exit(1);
    say("splice",
        CALL(splice(fd, offset, pipes[1], NULL, 1000, 0), SYS_splice, fd, offset, pipes[1], 0, 1000,
             0),
        offset, sizeof(*offset));
    close(pipes[0]), close(pipes[1]), close(fd);
    say_file(out);
}

static void asynchronous(enum way way)
{
    char *buffer = cold(SIZE);
    struct iocb *request = cold(sizeof(*request));
    struct iocb **list = cold(sizeof(*list));
    struct io_event *event = cold(sizeof(*event));
    aio_context_t *context = cold(sizeof(*context));
    int fd = file_with(pattern, SIZE);

    say("io_setup", CALL(syscall(SYS_io_setup, 4, context), SYS_io_setup, 4, context), "", 0);
    *request = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD,
                             .aio_fildes = (unsigned)fd,
                             .aio_buf = (uintptr_t)buffer,
                             .aio_nbytes = 7000};
    *list = request;
    aio_context_t number = *context;
    if (way == BY_NAME)
        say("io_submit", CALL(syscall(SYS_io_submit, number, 1, list), 0L), "", 0);
    else
        say("io_submit", CALL(0L, SYS_io_submit, number, 1, list), "", 0);
    say("io_getevents",
        CALL(syscall(SYS_io_getevents, number, 1, 1, event, NULL), SYS_io_getevents, number, 1, 1,
             event, 0),
        &event->res, sizeof(event->res));
    say("data", 0, buffer, SIZE);
    syscall(SYS_io_destroy, number);
    close(fd);
}

static void other_process(enum way way)
{
    char *buffer = cold(SIZE), *target = cold(SIZE);
    struct iovec local = {target, SIZE}, remote = {buffer, SIZE};
    struct iovec *locals = cold_copy(&local, sizeof(local));
    struct iovec *remotes = cold_copy(&remote, sizeof(remote));

    memcpy(buffer, pattern, SIZE);
    say("process_vm_readv",
        CALL(process_vm_readv(getpid(), locals, 1, remotes, 1, 0), SYS_process_vm_readv, getpid(),
             locals, 1, remotes, 1, 0),
        target, SIZE);
    memset(target, 5, SIZE);
    say("process_vm_writev",
        CALL(process_vm_writev(getpid(), locals, 1, remotes, 1, 0), SYS_process_vm_writev, getpid(),
             locals, 1, remotes, 1, 0),
        buffer, SIZE);
}

static void randomness(enum way way)
{
    char *buffer = cold(SIZE);

    say("getrandom", CALL(getrandom(buffer, SIZE, 0), SYS_getrandom, buffer, SIZE, 0), "", 0);
}

static void standard_streams(enum way way)
{
    char *buffer = cold(SIZE), *line = cold(SIZE);
    FILE *file = fopen("stdio", "w+");

    memcpy(buffer, pattern, SIZE);
    chill();
    size_t written = fwrite(buffer, 1, SIZE, file);
    say("fwrite", (long)written, "", 0);
    chill();
    say("fprintf", fprintf(file, "\nthe %s\n", cold_string("end of it")), "", 0);
    rewind(file);
    chill();
    size_t got = fread(line, 1, 6000, file);
    say("fread", (long)got, line, SIZE);
    chill();
    while (fgets(line, SIZE, file))
        continue;
    say("fgets", 0, line, strlen(line));
    fclose(file);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"plain", plain},
        {"vectors", vectors},
        {"hidden vectors", hidden_vectors},
        {"hidden messages", hidden_messages},
        {"many vectors", many_vectors},
        {"large", large},
        {"size beyond buffer", size_beyond_buffer},
        {"streams", streams},
        {"messages", messages},
        {"addresses", addresses},
        {"between descriptors", between_descriptors},
        {"asynchronous", asynchronous},
        {"other process", other_process},
        {"randomness", randomness},
        {"standard streams", standard_streams},
    };

    fill_pattern();
    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
