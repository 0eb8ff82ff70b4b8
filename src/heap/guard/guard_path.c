/* SPDX-License-Identifier: MIT */
/*
 * The interposed functions that take path names: those that programs call often. The filter serves
 * the others.
 */
/* Both names of each function are defined here: none may stand for the other. */
#undef _FILE_OFFSET_BITS

#include "heap/guard/guard_real.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * INTERPOSE(name, parameters, in_window, real arguments, system call): an int function that makes
 * the system call itself when something is in the window.
 */
#define INTERPOSE(name, parameters, found, arguments, ...)                                         \
    exported int name parameters                                                                   \
    {                                                                                              \
        if (found)                                                                                 \
            return (int)PINNED(__VA_ARGS__);                                                       \
        return REAL(name) arguments;                                                               \
    }

/* The mode of open() is there only with these flags. */
static mode_t mode_of(int flags, va_list list)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
    if (in_window(path))
        return (int)PINNED_BLOCKING(SYS_openat, directory, (long)path, flags, mode);
    return REAL(openat64)(directory, path, flags, mode);
}

#define INTERPOSE_OPEN(name, large)                                                                \
    exported int name(const char *path, int flags, ...)                                            \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode_t mode = mode_of(flags, list);                                                        \
        va_end(list);                                                                              \
        return open_at(AT_FDCWD, path, flags | (large), mode);                                     \
    }

#define INTERPOSE_OPENAT(name, large)                                                              \
    exported int name(int directory, const char *path, int flags, ...)                             \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode_t mode = mode_of(flags, list);                                                        \
        va_end(list);                                                                              \
        return open_at(directory, path, flags | (large), mode);                                    \
    }

INTERPOSE_OPEN(open, 0)
INTERPOSE_OPEN(open64, O_LARGEFILE)
INTERPOSE_OPENAT(openat, 0)
INTERPOSE_OPENAT(openat64, O_LARGEFILE)

exported int creat(const char *path, mode_t mode)
{
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

exported int creat64(const char *path, mode_t mode)
{
    return creat(path, mode);
}

/* struct stat is the kernel's, and struct stat64 the same, on the machines we know. */
#define INTERPOSE_STAT(suffix)                                                                     \
    INTERPOSE(stat##suffix, (const char *restrict path, struct stat##suffix *restrict result),     \
              in_window(path) || in_window(result), (path, result), SYS_newfstatat, AT_FDCWD,      \
              (long)path, (long)result, 0)                                                         \
    INTERPOSE(lstat##suffix, (const char *restrict path, struct stat##suffix *restrict result),    \
              in_window(path) || in_window(result), (path, result), SYS_newfstatat, AT_FDCWD,      \
              (long)path, (long)result, AT_SYMLINK_NOFOLLOW)                                       \
    INTERPOSE(fstat##suffix, (int fd, struct stat##suffix *result), in_window(result),             \
              (fd, result), SYS_fstat, fd, (long)result)                                           \
    INTERPOSE(fstatat##suffix,                                                                     \
              (int directory, const char *restrict path, struct stat##suffix *restrict result,     \
               int flags),                                                                         \
              in_window(path) || in_window(result), (directory, path, result, flags),              \
              SYS_newfstatat, directory, (long)path, (long)result, flags)

INTERPOSE_STAT()
INTERPOSE_STAT(64)

INTERPOSE(statx,
          (int directory, const char *restrict path, int flags, unsigned mask,
           struct statx *restrict result),
          in_window(path) || in_window(result), (directory, path, flags, mask, result), SYS_statx,
          directory, (long)path, flags, mask, (long)result)

INTERPOSE(access, (const char *path, int mode), in_window(path), (path, mode), SYS_faccessat,
          AT_FDCWD, (long)path, mode)
INTERPOSE(chdir, (const char *path), in_window(path), (path), SYS_chdir, (long)path)
INTERPOSE(mkdir, (const char *path, mode_t mode), in_window(path), (path, mode), SYS_mkdirat,
          AT_FDCWD, (long)path, mode)
INTERPOSE(mkdirat, (int directory, const char *path, mode_t mode), in_window(path),
          (directory, path, mode), SYS_mkdirat, directory, (long)path, mode)
INTERPOSE(rmdir, (const char *path), in_window(path), (path), SYS_unlinkat, AT_FDCWD, (long)path,
          AT_REMOVEDIR)
INTERPOSE(unlink, (const char *path), in_window(path), (path), SYS_unlinkat, AT_FDCWD, (long)path,
          0)
INTERPOSE(unlinkat, (int directory, const char *path, int flags), in_window(path),
          (directory, path, flags), SYS_unlinkat, directory, (long)path, flags)
INTERPOSE(rename, (const char *from, const char *to), in_window(from) || in_window(to), (from, to),
          SYS_renameat2, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0)
INTERPOSE(renameat, (int from_directory, const char *from, int to_directory, const char *to),
          in_window(from) || in_window(to), (from_directory, from, to_directory, to), SYS_renameat2,
          from_directory, (long)from, to_directory, (long)to, 0)
INTERPOSE(link, (const char *from, const char *to), in_window(from) || in_window(to), (from, to),
          SYS_linkat, AT_FDCWD, (long)from, AT_FDCWD, (long)to, 0)
INTERPOSE(symlink, (const char *target, const char *path), in_window(target) || in_window(path),
          (target, path), SYS_symlinkat, (long)target, AT_FDCWD, (long)path)
INTERPOSE(chmod, (const char *path, mode_t mode), in_window(path), (path, mode), SYS_fchmodat,
          AT_FDCWD, (long)path, mode)
INTERPOSE(chown, (const char *path, uid_t owner, gid_t group), in_window(path),
          (path, owner, group), SYS_fchownat, AT_FDCWD, (long)path, owner, group, 0)

INTERPOSE(lchown, (const char *path, uid_t owner, gid_t group), in_window(path),
          (path, owner, group), SYS_fchownat, AT_FDCWD, (long)path, owner, group,
          AT_SYMLINK_NOFOLLOW)
INTERPOSE(fchownat, (int directory, const char *path, uid_t owner, gid_t group, int flags),
          in_window(path), (directory, path, owner, group, flags), SYS_fchownat, directory,
          (long)path, owner, group, flags)
INTERPOSE(linkat,
          (int from_directory, const char *from, int to_directory, const char *to, int flags),
          in_window(from) || in_window(to), (from_directory, from, to_directory, to, flags),
          SYS_linkat, from_directory, (long)from, to_directory, (long)to, flags)
INTERPOSE(symlinkat, (const char *target, int directory, const char *path),
          in_window(target) || in_window(path), (target, directory, path), SYS_symlinkat,
          (long)target, directory, (long)path)
/* Without a path libc refuses this one. */
INTERPOSE(utimensat, (int directory, const char *path, const struct timespec times[2], int flags),
          in_window(path), (directory, path, times, flags), SYS_utimensat, directory, (long)path,
          (long)times, flags)
INTERPOSE(futimens, (int fd, const struct timespec times[2]), fd >= 0 && in_window(times),
          (fd, times), SYS_utimensat, fd, 0, (long)times, 0)

/* With flags libc makes something else of these where the kernel does not know them. */
INTERPOSE(faccessat, (int directory, const char *path, int mode, int flags),
          flags == 0 && in_window(path), (directory, path, mode, flags), SYS_faccessat, directory,
          (long)path, mode)
INTERPOSE(fchmodat, (int directory, const char *path, mode_t mode, int flags),
          flags == 0 && in_window(path), (directory, path, mode, flags), SYS_fchmodat, directory,
          (long)path, mode)

exported ssize_t readlink(const char *restrict path, char *restrict buffer, size_t size)
{
    if (in_window(path) || in_window(buffer))
        return PINNED(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)size);
    return REAL(readlink)(path, buffer, size);
}

exported ssize_t readlinkat(int directory, const char *restrict path, char *restrict buffer,
                            size_t size)
{
    if (in_window(path) || in_window(buffer))
        return PINNED(SYS_readlinkat, directory, (long)path, (long)buffer, (long)size);
    return REAL(readlinkat)(directory, path, buffer, size);
}
