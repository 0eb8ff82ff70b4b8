/* SPDX-License-Identifier: MIT */
/*
 * The lock is tried again and again: one that waits in the kernel has no bound, and may have to
 * wait for a process that is stopped. Who is in the door waits for nothing but the disk.
 */
#include "base/door.h"

#include "base/clock.h"
#include "base/msg.h"
#include "base/sys.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

/* Beyond the bytes that are locked by members (alive.h). */
#define DOOR_BYTE 4096

/* Looks are so far apart, first and last. */
#define LOOK_MIN_NS 200000
#define LOOK_MAX_NS 10000000

uint32_t door_say_ms = 5000, door_patience_ms = 60000;

static long change(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_start = DOOR_BYTE, .l_len = 1};

    return sys_call(SYS_fcntl, fd, F_OFD_SETLK, &lock);
}

static uint32_t ms_since(uint64_t begin)
{
    return (uint32_t)((clock_now_ns() - begin) / 1000000);
}

static void nap(uint64_t ns)
{
    struct timespec time = {.tv_nsec = (long)ns};

    sys_call(SYS_nanosleep, &time, NULL);
}

/* A moment passes. -ETIMEDOUT: that was the last one. */
static int wait(uint64_t begin, unsigned look, bool *said, const char *what, const char *name)
{
    if (ms_since(begin) >= door_patience_ms) {
        msg_error("%s %s: given up after %u s: another process that makes, joins or removes it "
                  "does not go on (ETIMEDOUT)",
                  what, name, door_patience_ms / 1000);
        return -ETIMEDOUT;
    }
    if (!*said && ms_since(begin) >= door_say_ms) {
        msg_warning("%s %s: waiting for another process that makes, joins or removes it", what,
                    name);
        *said = true;
    }
    nap(min_u64((uint64_t)LOOK_MIN_NS << min_u64(look, 6), LOOK_MAX_NS));
    return 0;
}

int door_enter(int fd, const char *what, const char *name)
{
    long error = change(fd, F_WRLCK);
    uint64_t begin = clock_now_ns();
    bool said = false;

    for (unsigned look = 0; error == -EAGAIN || error == -EACCES; look++) {
        error = wait(begin, look, &said, what, name);
        if (!error)
            error = change(fd, F_WRLCK);
    }
    return (int)error;
}

void door_leave(int fd)
{
    change(fd, F_UNLCK);
}

static bool has_name(int fd, const char *path)
{
    struct stat file, named;

    return sys_call(SYS_fstat, fd, &file) == 0 &&
           sys_call(SYS_newfstatat, AT_FDCWD, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           file.st_ino == named.st_ino && file.st_dev == named.st_dev;
}

int door_open(const char *path, int flags, const char *what, const char *name)
{
    for (;;) {
        long fd = sys_call(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
        int error;

        if (fd < 0)
            return (int)fd;
        error = door_enter((int)fd, what, name);
        if (!error && has_name((int)fd, path))
            return (int)fd;
        sys_call(SYS_close, fd);
        if (error)
            return error;
    }
}
