/* SPDX-License-Identifier: MIT */
/* The calls on mappings as the program makes them: by the name of the libc function, or as a system
 * call by number. */
/* Both names of mmap() are defined here: none may stand for the other. */
#undef _FILE_OFFSET_BITS

#include "base/sys.h"
#include "heap/guard/guard_real.h"
#include "heap/map/map.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>

#define MMAP_ARGUMENTS                                                                             \
    (const long[6])                                                                                \
    {                                                                                              \
        (long)address, (long)size, protection, flags, fd, offset                                   \
    }

exported void *mmap64(void *address, size_t size, int protection, int flags, int fd,
                      __off64_t offset)
{
    return (void *)guard_result(map_mmap(MMAP_ARGUMENTS));
}

exported void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return (void *)guard_result(map_mmap(MMAP_ARGUMENTS));
}

exported int munmap(void *address, size_t size)
{
    return (int)guard_result(map_munmap((uintptr_t)address, size));
}

/* The new address is there only with MREMAP_FIXED; reading what is not there does no harm. */
exported void *mremap(void *address, size_t old_size, size_t new_size, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    void *wish = va_arg(list, void *);
    va_end(list);

    return (void *)guard_result(map_mremap(
        (const long[5]){(long)address, (long)old_size, (long)new_size, flags, (long)wish}));
}

exported int mprotect(void *address, size_t size, int protection)
{
    return (int)guard_result(map_mprotect((uintptr_t)address, size, protection, -1));
}

exported int pkey_mprotect(void *address, size_t size, int protection, int key)
{
    return (int)guard_result(map_mprotect((uintptr_t)address, size, protection, key));
}

exported int madvise(void *address, size_t size, int advice)
{
    return (int)guard_result(map_madvise((uintptr_t)address, size, advice));
}

/* As libc does: POSIX does not let this advice drop anything. */
exported int posix_madvise(void *address, size_t size, int advice)
{
    if (advice == POSIX_MADV_DONTNEED)
        return 0;
    return (int)-map_madvise((uintptr_t)address, size, advice);
}

exported int mlock(const void *address, size_t size)
{
    return (int)guard_result(map_mlock((uintptr_t)address, size, 0));
}

exported int mlock2(const void *address, size_t size, unsigned flags)
{
    return (int)guard_result(map_mlock((uintptr_t)address, size, flags));
}

exported int munlock(const void *address, size_t size)
{
    return (int)guard_result(map_munlock((uintptr_t)address, size));
}

exported int mlockall(int flags)
{
    return (int)guard_result(map_mlockall(flags));
}

exported int munlockall(void)
{
    return (int)guard_result(map_munlockall());
}

exported int msync(void *address, size_t size, int flags)
{
    return (int)guard_result(map_msync((uintptr_t)address, size, flags));
}

exported int mincore(void *address, size_t size, unsigned char *states)
{
    return (int)guard_result(map_mincore((uintptr_t)address, size, states));
}

static long serve(long number, const long a[6])
{
    switch (number) {
    case SYS_mmap:
        return map_mmap(a);
    case SYS_munmap:
        return map_munmap((uintptr_t)a[0], (size_t)a[1]);
    case SYS_mremap:
        return map_mremap(a);
    case SYS_mprotect:
        return map_mprotect((uintptr_t)a[0], (size_t)a[1], (int)a[2], -1);
    case SYS_pkey_mprotect:
        return map_mprotect((uintptr_t)a[0], (size_t)a[1], (int)a[2], (int)a[3]);
    case SYS_madvise:
        return map_madvise((uintptr_t)a[0], (size_t)a[1], (int)a[2]);
    case SYS_mlock:
        return map_mlock((uintptr_t)a[0], (size_t)a[1], 0);
    case SYS_mlock2:
        return map_mlock((uintptr_t)a[0], (size_t)a[1], (unsigned)a[2]);
    case SYS_munlock:
        return map_munlock((uintptr_t)a[0], (size_t)a[1]);
    case SYS_mlockall:
        return map_mlockall((int)a[0]);
    case SYS_munlockall:
        return map_munlockall();
    case SYS_msync:
        return map_msync((uintptr_t)a[0], (size_t)a[1], (int)a[2]);
    case SYS_mincore:
        return map_mincore((uintptr_t)a[0], (size_t)a[1], (unsigned char *)a[2]);
    default:
        return -ENOSYS;
    }
}

bool map_call(long number, const long arguments[6], long *result)
{
    switch (number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mremap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_madvise:
    case SYS_mlock:
    case SYS_mlock2:
    case SYS_munlock:
    case SYS_mlockall:
    case SYS_munlockall:
    case SYS_msync:
    case SYS_mincore:
        *result = serve(number, arguments);
        return true;
    default:
        return false;
    }
}
