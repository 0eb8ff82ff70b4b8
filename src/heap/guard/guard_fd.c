/* SPDX-License-Identifier: MIT */
/*
 * The interposed functions that close descriptors or put others in their place. Programs
 * close what they do not know, most of all before they start others, and a child of vfork() still
 * needs its memory then. To the program our descriptors are not open: closing one is EBADF. It
 * cannot have their numbers for its own.
 */
#include "heap/guard/guard_fd.h"

#include "base/fd.h"
#include "heap/guard/guard_real.h"
#include "heap/guard/guard_uring.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

bool guard_fd_is_ours(int fd)
{
    return unlikely(fd_next_ours(fd) == fd) && fd >= 0;
}

static int refuse(void)
{
    errno = EBADF;
    return -1;
}

exported int close(int fd)
{
    if (guard_fd_is_ours(fd))
        return refuse();
    guard_uring_close(fd);
    return REAL(close)(fd);
}

exported int dup2(int fd, int target)
{
    return guard_fd_is_ours(target) ? refuse() : REAL(dup2)(fd, target);
}

exported int dup3(int fd, int target, int flags)
{
    return guard_fd_is_ours(target) ? refuse() : REAL(dup3)(fd, target, flags);
}

static long close_piece(unsigned first, unsigned last, unsigned flags)
{
    return guard_call_plain(SYS_close_range, GUARD_ARGUMENTS(first, last, flags));
}

/* The first of ours that is not below from; one beyond all when there is none. */
static unsigned next_ours(unsigned from)
{
    int fd = from <= INT_MAX ? fd_next_ours((int)from) : -1;

    return fd < 0 ? UINT_MAX : (unsigned)fd;
}

long guard_fd_close_range(unsigned first, unsigned last, unsigned flags)
{
    unsigned next = first;
    long error = 0;

    if (first > last)
        return close_piece(first, last, flags);
    for (unsigned ours = next_ours(next); !error && ours < last; ours = next_ours(next)) {
        if (next < ours) {
            error = close_piece(next, ours - 1, flags);
            flags &= ~CLOSE_RANGE_UNSHARE;
        }
        next = ours + 1;
    }
    if (error || next_ours(next) == last)
        return error;
    return close_piece(next, last, flags);
}

exported int close_range(unsigned first, unsigned last, int flags)
{
    return (int)guard_result(guard_fd_close_range(first, last, (unsigned)flags));
}

exported void closefrom(int first)
{
    guard_fd_close_range(first > 0 ? (unsigned)first : 0, UINT_MAX, 0);
}
