/* SPDX-License-Identifier: MIT */
/* The interposed functions that move data between memory and descriptors. */
/* Both names of each function are defined here: none may stand for the other. */
#undef _FILE_OFFSET_BITS

#include "heap/guard/guard_real.h"
#include "heap/guard/guard_walk.h"

#include <limits.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

exported ssize_t read(int fd, void *buffer, size_t size)
{
    if (in_window(buffer))
        return PINNED_BLOCKING(SYS_read, fd, (long)buffer, (long)size);
    return REAL(read)(fd, buffer, size);
}

exported ssize_t write(int fd, const void *buffer, size_t size)
{
    if (in_window(buffer))
        return PINNED_BLOCKING(SYS_write, fd, (long)buffer, (long)size);
    return REAL(write)(fd, buffer, size);
}

exported ssize_t pread64(int fd, void *buffer, size_t size, off64_t offset)
{
    if (in_window(buffer))
        return PINNED_BLOCKING(SYS_pread64, fd, (long)buffer, (long)size, offset);
    return REAL(pread64)(fd, buffer, size, offset);
}

exported ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
    return pread64(fd, buffer, size, offset);
}

exported ssize_t pwrite64(int fd, const void *buffer, size_t size, off64_t offset)
{
    if (in_window(buffer))
        return PINNED_BLOCKING(SYS_pwrite64, fd, (long)buffer, (long)size, offset);
    return REAL(pwrite64)(fd, buffer, size, offset);
}

exported ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
    return pwrite64(fd, buffer, size, offset);
}

/* Whether a vector has something in the window; one that libc would refuse is left to libc. */
static bool vector_in_window(const struct iovec *vector, int count)
{
    if (!vector || count < 0 || count > IOV_MAX)
        return false;
    if (in_window(vector))
        return true;
    if (!guard_walk_readable(vector, (size_t)count * sizeof(*vector)))
        return false;
    for (int i = 0; i < count; i++)
        if (in_window(vector[i].iov_base))
            return true;
    return false;
}

exported ssize_t readv(int fd, const struct iovec *vector, int count)
{
    if (vector_in_window(vector, count))
        return PINNED_BLOCKING(SYS_readv, fd, (long)vector, count);
    return REAL(readv)(fd, vector, count);
}

exported ssize_t writev(int fd, const struct iovec *vector, int count)
{
    if (vector_in_window(vector, count))
        return PINNED_BLOCKING(SYS_writev, fd, (long)vector, count);
    return REAL(writev)(fd, vector, count);
}

exported ssize_t preadv64(int fd, const struct iovec *vector, int count, off64_t offset)
{
    if (vector_in_window(vector, count))
        return PINNED_BLOCKING(SYS_preadv, fd, (long)vector, count, offset);
    return REAL(preadv64)(fd, vector, count, offset);
}

exported ssize_t preadv(int fd, const struct iovec *vector, int count, off_t offset)
{
    return preadv64(fd, vector, count, offset);
}

exported ssize_t pwritev64(int fd, const struct iovec *vector, int count, off64_t offset)
{
    if (vector_in_window(vector, count))
        return PINNED_BLOCKING(SYS_pwritev, fd, (long)vector, count, offset);
    return REAL(pwritev64)(fd, vector, count, offset);
}

exported ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    return pwritev64(fd, vector, count, offset);
}

exported ssize_t preadv64v2(int fd, const struct iovec *vector, int count, off64_t offset,
                            int flags)
{
    if (vector_in_window(vector, count))
        return PINNED_BLOCKING(SYS_preadv2, fd, (long)vector, count, offset, 0, flags);
    return REAL(preadv64v2)(fd, vector, count, offset, flags);
}

exported ssize_t preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return preadv64v2(fd, vector, count, offset, flags);
}

exported ssize_t pwritev64v2(int fd, const struct iovec *vector, int count, off64_t offset,
                             int flags)
{
    if (vector_in_window(vector, count))
        return PINNED_BLOCKING(SYS_pwritev2, fd, (long)vector, count, offset, 0, flags);
    return REAL(pwritev64v2)(fd, vector, count, offset, flags);
}

exported ssize_t pwritev2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return pwritev64v2(fd, vector, count, offset, flags);
}

exported ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long locals,
                                  const struct iovec *remote, unsigned long remotes,
                                  unsigned long flags)
{
    return PINNED(SYS_process_vm_readv, pid, (long)local, (long)locals, (long)remote, (long)remotes,
                  (long)flags);
}

exported ssize_t process_vm_writev(pid_t pid, const struct iovec *local, unsigned long locals,
                                   const struct iovec *remote, unsigned long remotes,
                                   unsigned long flags)
{
    return PINNED(SYS_process_vm_writev, pid, (long)local, (long)locals, (long)remote,
                  (long)remotes, (long)flags);
}

exported ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
    if (in_window(buffer))
        return PINNED_BLOCKING(SYS_getrandom, (long)buffer, (long)size, flags);
    return REAL(getrandom)(buffer, size, flags);
}
