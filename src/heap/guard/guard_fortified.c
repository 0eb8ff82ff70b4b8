/* SPDX-License-Identifier: MIT */
/*
 * The names under which programs call libc that were compiled with _FORTIFY_SOURCE, as those of
 * distributions are, when the compiler cannot tell whether a buffer is too small. Where it is, libc
 * ends the program; else they are the interposed functions.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include "heap/guard/guard_real.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* libc's, declared nowhere in this form. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __pread_chk(int fd, void *buffer, size_t size, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *buffer, size_t size, off_t offset, size_t room);
ssize_t __recv_chk(int fd, void *buffer, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags,
                       struct sockaddr *address, socklen_t *length);
ssize_t __readlink_chk(const char *path, char *buffer, size_t size, size_t room);
ssize_t __readlinkat_chk(int directory, const char *path, char *buffer, size_t size, size_t room);
char *__getcwd_chk(char *buffer, size_t size, size_t room);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t room);

/* FORTIFIED(type, name, parameters, arguments, condition, call): the call where the condition
 * holds, else what libc makes of it. */
#define FORTIFIED(type, name, parameters, arguments, condition, call)                              \
    exported type name parameters                                                                  \
    {                                                                                              \
        return likely(condition) ? call : REAL(name) arguments;                                    \
    }

static bool needs_mode(int flags)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

FORTIFIED(int, __open_2, (const char *path, int flags), (path, flags), !needs_mode(flags),
          open(path, flags))
FORTIFIED(int, __open64_2, (const char *path, int flags), (path, flags), !needs_mode(flags),
          open64(path, flags))
FORTIFIED(int, __openat_2, (int directory, const char *path, int flags), (directory, path, flags),
          !needs_mode(flags), openat(directory, path, flags))
FORTIFIED(int, __openat64_2, (int directory, const char *path, int flags), (directory, path, flags),
          !needs_mode(flags), openat64(directory, path, flags))

FORTIFIED(ssize_t, __read_chk, (int fd, void *buffer, size_t size, size_t room),
          (fd, buffer, size, room), size <= room, read(fd, buffer, size))
FORTIFIED(ssize_t, __pread_chk, (int fd, void *buffer, size_t size, off_t offset, size_t room),
          (fd, buffer, size, offset, room), size <= room, pread(fd, buffer, size, offset))
FORTIFIED(ssize_t, __pread64_chk, (int fd, void *buffer, size_t size, off_t offset, size_t room),
          (fd, buffer, size, offset, room), size <= room, pread64(fd, buffer, size, offset))
FORTIFIED(ssize_t, __recv_chk, (int fd, void *buffer, size_t size, size_t room, int flags),
          (fd, buffer, size, room, flags), size <= room, recv(fd, buffer, size, flags))
FORTIFIED(ssize_t, __recvfrom_chk,
          (int fd, void *buffer, size_t size, size_t room, int flags, struct sockaddr *address,
           socklen_t *length),
          (fd, buffer, size, room, flags, address, length), size <= room,
          recvfrom(fd, buffer, size, flags, address, length))

FORTIFIED(ssize_t, __readlink_chk, (const char *path, char *buffer, size_t size, size_t room),
          (path, buffer, size, room), size <= room, readlink(path, buffer, size))
FORTIFIED(ssize_t, __readlinkat_chk,
          (int directory, const char *path, char *buffer, size_t size, size_t room),
          (directory, path, buffer, size, room), size <= room,
          readlinkat(directory, path, buffer, size))
FORTIFIED(char *, __getcwd_chk, (char *buffer, size_t size, size_t room), (buffer, size, room),
          size <= room, getcwd(buffer, size))

FORTIFIED(int, __poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t room),
          (fds, count, timeout, room), count <= room / sizeof(*fds), poll(fds, count, timeout))
FORTIFIED(int, __ppoll_chk,
          (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
           size_t room),
          (fds, count, timeout, mask, room), count <= room / sizeof(*fds),
          ppoll(fds, count, timeout, mask))
