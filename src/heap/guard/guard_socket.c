/* SPDX-License-Identifier: MIT */
/* The interposed functions of sockets. */
#include "heap/guard/guard_real.h"
#include "heap/guard/guard_walk.h"

#include <sys/socket.h>
#include <sys/syscall.h>

exported ssize_t send(int fd, const void *buffer, size_t size, int flags)
{
    if (in_window(buffer))
        return PINNED_BLOCKING(SYS_sendto, fd, (long)buffer, (long)size, flags, 0, 0);
    return REAL(send)(fd, buffer, size, flags);
}

exported ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    if (in_window(buffer))
        return PINNED_BLOCKING(SYS_recvfrom, fd, (long)buffer, (long)size, flags, 0, 0);
    return REAL(recv)(fd, buffer, size, flags);
}

exported ssize_t sendto(int fd, const void *buffer, size_t size, int flags,
                        const struct sockaddr *address, socklen_t length)
{
    if (in_window(buffer) || in_window(address))
        return PINNED_BLOCKING(SYS_sendto, fd, (long)buffer, (long)size, flags, (long)address,
                               (long)length);
    return REAL(sendto)(fd, buffer, size, flags, address, length);
}

exported ssize_t recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address,
                          socklen_t *length)
{
    if (in_window(buffer) || in_window(address) || in_window(length))
        return PINNED_BLOCKING(SYS_recvfrom, fd, (long)buffer, (long)size, flags, (long)address,
                               (long)length);
    return REAL(recvfrom)(fd, buffer, size, flags, address, length);
}

/* Whether a message has something in the window, or is no message at all. */
static bool message_in_window(const struct msghdr *message)
{
    if (in_window(message) || !message)
        return message;
    if (!guard_walk_readable(message, sizeof(*message)))
        return false;
    if (in_window(message->msg_name) || in_window(message->msg_control) ||
        in_window(message->msg_iov))
        return true;
    if (!guard_walk_readable(message->msg_iov, message->msg_iovlen * sizeof(struct iovec)))
        return false;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        if (in_window(message->msg_iov[i].iov_base))
            return true;
    return false;
}

exported ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (message_in_window(message))
        return PINNED_BLOCKING(SYS_sendmsg, fd, (long)message, flags);
    return REAL(sendmsg)(fd, message, flags);
}

exported ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (message_in_window(message))
        return PINNED_BLOCKING(SYS_recvmsg, fd, (long)message, flags);
    return REAL(recvmsg)(fd, message, flags);
}

static bool messages_in_window(const struct mmsghdr *messages, unsigned count)
{
    if (in_window(messages))
        return true;
    if (!guard_walk_readable(messages, count * sizeof(*messages)))
        return false;
    for (unsigned i = 0; i < count; i++)
        if (message_in_window(&messages[i].msg_hdr))
            return true;
    return false;
}

exported int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (messages_in_window(messages, count))
        return (int)PINNED_BLOCKING(SYS_sendmmsg, fd, (long)messages, count, flags);
    return REAL(sendmmsg)(fd, messages, count, flags);
}

exported int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
                      struct timespec *timeout)
{
    if (messages_in_window(messages, count) || in_window(timeout))
        return (int)PINNED_BLOCKING(SYS_recvmmsg, fd, (long)messages, count, flags, (long)timeout);
    return REAL(recvmmsg)(fd, messages, count, flags, timeout);
}
