/* SPDX-License-Identifier: MIT */
/* The interposed functions that wait for descriptors. Their arrays stay pinned while they wait. */
#include "heap/guard/guard_real.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

exported int poll(struct pollfd *polled, nfds_t count, int timeout)
{
#ifdef SYS_poll
    if (in_window(polled))
        return (int)PINNED_BLOCKING(SYS_poll, (long)polled, (long)count, timeout);
#endif
    return REAL(poll)(polled, count, timeout);
}

exported int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    if (in_window(events))
        return (int)PINNED_BLOCKING(SYS_epoll_pwait, fd, (long)events, count, timeout, 0, 0);
    return REAL(epoll_wait)(fd, events, count, timeout);
}
