/* SPDX-License-Identifier: MIT */
#include "base/alive.h"

#include "base/fmt.h"
#include "base/sys.h"

#include <fcntl.h>
#include <sys/mman.h>

static long lock_byte(int fd, int command, unsigned number, struct flock *lock)
{
    lock->l_whence = SEEK_SET;
    lock->l_start = (off_t)number;
    lock->l_len = 1;
    return sys_call(SYS_fcntl, fd, command, lock);
}

void alive_init(struct alive *alive, int fd)
{
    alive->fd = fd;
    alive->fragile = false;
    fmt_write(alive->path, sizeof(alive->path), "/proc/thread-self/fd/%d", fd);
}

int alive_open_again(const struct alive *alive)
{
    long low, high;

    if (alive->fragile)
        return -1;
    low = sys_call(SYS_openat, AT_FDCWD, alive->path, O_RDWR | O_CLOEXEC, 0);
    if (low < 0)
        return -1;
    high = sys_call(SYS_fcntl, low, F_DUPFD_CLOEXEC, alive->fd + 1);
    if (high < 0)
        return (int)low;
    sys_call(SYS_close, low);
    return (int)high;
}

bool alive_lock(const struct alive *alive, int fd, unsigned number)
{
    struct flock lock = {.l_type = F_WRLCK};

    if (lock_byte(fd, F_OFD_SETLK, number, &lock) < 0)
        return false;
    /* A file that is not ours can hold any lock. */
    if (alive_is_held(alive, number))
        return true;
    alive_unlock(fd, number);
    return false;
}

void alive_unlock(int fd, unsigned number)
{
    struct flock lock = {.l_type = F_UNLCK};

    lock_byte(fd, F_OFD_SETLK, number, &lock);
}

bool alive_lock_as_process(struct alive *alive, unsigned number)
{
    struct flock lock = {.l_type = F_WRLCK};

    alive->fragile = true;
    return lock_byte(alive->fd, F_SETLK, number, &lock) == 0;
}

void alive_become(const struct alive *alive, int child_fd)
{
    /* If it cannot take that place, it stays where it is. */
    if (sys_call(SYS_dup3, child_fd, alive->fd, O_CLOEXEC) >= 0)
        sys_call(SYS_close, child_fd);
}

int alive_map_again(const struct alive *alive, void *address, size_t size, uint64_t offset)
{
    long result = sys_call(SYS_mmap, address, size, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_NORESERVE | MAP_FIXED, alive->fd, offset);

    return result < 0 && result > -4096 ? (int)result : 0;
}

/* Asked for the process, not for its description, which may be the one that the parent's lock
 * belongs to. */
bool alive_is_held(const struct alive *alive, unsigned number)
{
    struct flock lock = {.l_type = F_WRLCK};

    return lock_byte(alive->fd, F_GETLK, number, &lock) < 0 || lock.l_type != F_UNLCK;
}
