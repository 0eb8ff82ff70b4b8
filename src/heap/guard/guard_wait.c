/* SPDX-License-Identifier: MIT */
/*
 * The interposed functions that wait for descriptors, and syscall(). Their arrays stay pinned while
 * they wait.
 */
#include "base/sys.h"
#include "heap/guard/guard_rawsignal.h"
#include "heap/guard/guard_real.h"

#include <poll.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static long change_mask(const long arguments[6])
{
    sigblock_mask mask;
    long result = sys_call(SYS_rt_sigprocmask, 0, NULL, &mask, sizeof(mask));

    if (!result)
        result = guard_rawsignal_mask(arguments, &mask);
    if (!result)
        result = sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
    return result;
}

/* Calls that return twice, or on another stack, take no pointer that the guard cares for: libc
 * makes them. */
exported long syscall(long number, ...)
{
    long arguments[6];
    va_list list;

    va_start(list, number);
    for (unsigned i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_rt_sigprocmask)
        return guard_result(change_mask(arguments));
    if (number == SYS_rt_sigaction && guard_signal_is_ours((int)arguments[0]))
        return guard_result(guard_rawsignal_action(arguments));
    if (guard_call_needed(number, arguments))
        return guard_result(guard_call(number, arguments));
    return REAL(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3],
                         arguments[4], arguments[5]);
}
