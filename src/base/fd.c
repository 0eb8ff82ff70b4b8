/* SPDX-License-Identifier: MIT */
#include "base/fd.h"

#include "base/fmt.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* Since Linux 6.3; without it, some systems refuse. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

/* Ours start here when the limit allows it. */
#define HIGH_FD 512

/* Stores, three for each shared region, and a few more. */
#define KEPT_MAX 48

/* In ascending order. */
static int kept[KEPT_MAX];
static unsigned kept_count;

static void remember(int fd)
{
    unsigned i = kept_count;

    if (kept_count == KEPT_MAX)
        __builtin_trap();
    for (; i > 0 && kept[i - 1] > fd; i--)
        kept[i] = kept[i - 1];
    kept[i] = fd;
    kept_count++;
}

static void forget(int fd)
{
    unsigned left = 0;

    for (unsigned i = 0; i < kept_count; i++)
        if (kept[i] != fd)
            kept[left++] = kept[i];
    kept_count = left;
}

int fd_move_high(int fd)
{
    struct rlimit limit = {0, 0};
    long floor = HIGH_FD;
    long high;

    sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    if (limit.rlim_cur < 2 * HIGH_FD)
        floor = (long)(limit.rlim_cur / 2);
    high = sys_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, floor);
    if (high >= 0)
        sys_call(SYS_close, fd);
    else
        high = fd;
    remember((int)high);
    return (int)high;
}

void fd_keep(int fd)
{
    remember(fd);
}

long fd_memory_file(const char *name, unsigned flags)
{
    long fd = sys_call(SYS_memfd_create, name, flags | MFD_CLOEXEC | MFD_NOEXEC_SEAL);

    if (fd == -EINVAL)
        fd = sys_call(SYS_memfd_create, name, flags | MFD_CLOEXEC);
    return fd;
}

int fd_give_name(int fd, const char *path)
{
    char own[48];

    fmt_write(own, sizeof(own), "/proc/self/fd/%d", fd);
    return (int)sys_call(SYS_linkat, AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

void fd_close(int fd)
{
    if (fd < 0)
        return;
    forget(fd);
    sys_call(SYS_close, fd);
}

int fd_next_ours(int from)
{
    for (unsigned i = 0; i < kept_count; i++)
        if (kept[i] >= from)
            return kept[i];
    return -1;
}

int fd_leave_program(void)
{
    unsigned flags = CLOSE_RANGE_UNSHARE;
    unsigned next = 0;
    long error = 0;

    /* The first call gives the thread its table; later ones have no other to close in. */
    for (unsigned i = 0; i < kept_count && !error; i++) {
        unsigned fd = (unsigned)kept[i];

        if (next < fd) {
            error = sys_call(SYS_close_range, next, fd - 1, flags);
            flags = 0;
        }
        next = fd + 1;
    }
    if (!error && !flags)
        error = sys_call(SYS_close_range, next, ~0u, 0);
    return flags ? -EBUSY : (int)error;
}
