/* SPDX-License-Identifier: MIT */
/* The interposed functions of descriptors and sockets that take structures. Programs call them
 * often; the filter serves the others. */
#include "heap/guard/guard_real.h"
#include "heap/guard/guard_serve.h"

#include <dirent.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * INTERPOSE(how, name, parameters, in_window, real arguments, system call): an int function that
 * makes the call itself when something is in the window; PINNED_BLOCKING where it is a point of
 * cancellation.
 */
#define INTERPOSE(how, name, parameters, found, arguments, ...)                                    \
    exported int name parameters                                                                   \
    {                                                                                              \
        if (found)                                                                                 \
            return (int)how(__VA_ARGS__);                                                          \
        return REAL(name) arguments;                                                               \
    }

exported int ioctl(int fd, unsigned long request, ...)
{
    va_list list;

    va_start(list, request);
    void *argument = va_arg(list, void *);
    va_end(list);
    if (in_window(argument))
        return (int)PINNED(SYS_ioctl, fd, (long)request, (long)argument);
    return REAL(ioctl)(fd, request, argument);
}

exported int prctl(int option, ...)
{
    long a[6] = {option};
    va_list list;

    va_start(list, option);
    for (unsigned i = 1; i < 5; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return (int)guard_result(guard_serve(SYS_prctl, a, NULL));
}

/* libc's allocates when there is no buffer, and knows what to do where there is no path. */
exported char *getcwd(char *buffer, size_t size)
{
    if (in_window(buffer) && size > 0 && PINNED(SYS_getcwd, (long)buffer, (long)size) > 0 &&
        buffer[0] == '/')
        return buffer;
    return REAL(getcwd)(buffer, size);
}

exported ssize_t getdents64(int fd, void *buffer, size_t size)
{
    if (in_window(buffer))
        return PINNED(SYS_getdents64, fd, (long)buffer, (long)size);
    return REAL(getdents64)(fd, buffer, size);
}

#ifdef SYS_select
INTERPOSE(PINNED_BLOCKING, select,
          (int count, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict others,
           struct timeval *restrict timeout),
          in_window(reads) || in_window(writes) || in_window(others) || in_window(timeout),
          (count, reads, writes, others, timeout), SYS_select, count, (long)reads, (long)writes,
          (long)others, (long)timeout)
#endif

INTERPOSE(PINNED, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event),
          in_window(event), (epoll, operation, fd, event), SYS_epoll_ctl, epoll, operation, fd,
          (long)event)
INTERPOSE(PINNED, bind, (int fd, const struct sockaddr *address, socklen_t length),
          in_window(address), (fd, address, length), SYS_bind, fd, (long)address, length)
INTERPOSE(PINNED_BLOCKING, connect, (int fd, const struct sockaddr *address, socklen_t length),
          in_window(address), (fd, address, length), SYS_connect, fd, (long)address, length)
INTERPOSE(PINNED_BLOCKING, accept,
          (int fd, struct sockaddr *restrict address, socklen_t *restrict length),
          in_window(address) || in_window(length), (fd, address, length), SYS_accept, fd,
          (long)address, (long)length)
INTERPOSE(PINNED_BLOCKING, accept4,
          (int fd, struct sockaddr *restrict address, socklen_t *restrict length, int flags),
          in_window(address) || in_window(length), (fd, address, length, flags), SYS_accept4, fd,
          (long)address, (long)length, flags)
INTERPOSE(PINNED, getsockname,
          (int fd, struct sockaddr *restrict address, socklen_t *restrict length),
          in_window(address) || in_window(length), (fd, address, length), SYS_getsockname, fd,
          (long)address, (long)length)
INTERPOSE(PINNED, getpeername,
          (int fd, struct sockaddr *restrict address, socklen_t *restrict length),
          in_window(address) || in_window(length), (fd, address, length), SYS_getpeername, fd,
          (long)address, (long)length)
INTERPOSE(PINNED, getsockopt,
          (int fd, int level, int option, void *restrict value, socklen_t *restrict length),
          in_window(value) || in_window(length), (fd, level, option, value, length), SYS_getsockopt,
          fd, level, option, (long)value, (long)length)
INTERPOSE(PINNED, setsockopt, (int fd, int level, int option, const void *value, socklen_t length),
          in_window(value), (fd, level, option, value, length), SYS_setsockopt, fd, level, option,
          (long)value, length)
