/* SPDX-License-Identifier: MIT */
/*
 * Swap files and devices.
 *
 * A swap file has no name from the moment it is open, so that nothing is left of it whatever way
 * the program ends. What already holds data is never taken (claim.c), nor what is in use by
 * another process.
 *
 * Only raw system calls: the libc functions of these names are interposed in a program under uswap.
 */
#include "store/file.h"

#include "base/fd.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/msg.h"
#include "base/sys.h"
#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define SIZE_MIN (1 * MIB)

/* Bytes that may be dirty in the page cache, where there is no O_DIRECT. */
#define UNFLUSHED_MAX (16 * MIB)

static int complain(const char *path, int error, const char *reason)
{
    char name[8];

    if (reason)
        msg_error("--swap %s: %s", path, reason);
    else
        msg_error("--swap %s: %s; name a writable directory, a new file or an empty block device",
                  path, fmt_errno(error, name));
    return error;
}

static int open_fd(const char *path, int flags)
{
    return (int)sys_call(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_LARGEFILE, 0600);
}

/* A file without a name in a directory, where the file system cannot make one by itself. */
static int open_temporary(const char *directory)
{
    char path[4096];
    uint64_t random = 0;
    int fd;

    sys_call(SYS_getrandom, &random, sizeof(random), 0);
    fmt_write(path, sizeof(path), "%s/.uswap-%lx", directory, random);
    fd = open_fd(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (fd >= 0)
        sys_call(SYS_unlinkat, AT_FDCWD, path, 0);
    return fd;
}

static int open_in_directory(struct file *file)
{
    int fd = open_fd(file->path, O_TMPFILE | O_RDWR | O_EXCL);

    if (fd == -EOPNOTSUPP || fd == -EISDIR || fd == -EINVAL || fd == -ENOENT)
        fd = open_temporary(file->path);
    if (fd == -EACCES || fd == -EPERM || fd == -EROFS)
        return complain(file->path, fd, "directory is not writable; name another one");
    if (fd < 0)
        return complain(file->path, fd, NULL);
    return fd;
}

static int open_new(struct file *file)
{
    int fd = open_fd(file->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);

    if (fd == -ENOENT)
        return complain(file->path, fd, "directory does not exist; make it or name another one");
    if (fd == -EACCES || fd == -EPERM || fd == -EROFS)
        return complain(file->path, fd, "directory is not writable; name another one");
    if (fd < 0)
        return complain(file->path, fd, NULL);
    sys_call(SYS_unlinkat, AT_FDCWD, file->path, 0);
    return fd;
}

/* Why an existing file may not be used; NULL: it may, and has no name any more. */
static const char *take_over_file(const struct file *file, int fd, uint64_t *size)
{
    struct stat status;

    if (sys_call(SYS_fstat, fd, &status) < 0 || !S_ISREG(status.st_mode))
        return "cannot be read; name another file";
    *size = (uint64_t)status.st_size;
    if (status.st_nlink != 1)
        return "has more than one name; remove the others or name another file";
    if (!claim_file(fd, *size))
        return "holds data; uswap takes an empty file, one of zeros, or makes one";
    if (sys_call(SYS_fchmod, fd, 0600) < 0)
        return "belongs to another user; name another file";
    if (sys_call(SYS_unlinkat, AT_FDCWD, file->path, 0) < 0)
        return "cannot be unlinked; name a file in a directory of your own";
    return NULL;
}

static int open_existing(struct file *file)
{
    const char *reason;
    uint64_t size = 0;
    int fd = open_fd(file->path, O_RDWR | O_NOFOLLOW);

    if (fd == -EACCES || fd == -EROFS)
        return complain(file->path, fd, "file is not writable; name another one");
    if (fd == -ELOOP)
        return complain(file->path, fd, "is a symbolic link; name the file itself");
    if (fd < 0)
        return complain(file->path, fd, NULL);
    reason = take_over_file(file, fd, &size);
    if (reason) {
        sys_call(SYS_close, fd);
        return complain(file->path, -EINVAL, reason);
    }
    if (file->size == 0)
        file->size = size;
    return fd;
}

/* Take a device that is not in use and holds nothing. */
static int open_device(struct file *file)
{
    uint64_t size = 0;
    int fd = open_fd(file->path, O_RDWR | O_EXCL);

    if (fd == -EBUSY)
        return complain(file->path, fd, "device is in use (mounted, swap?); name another one");
    if (fd == -EACCES || fd == -EROFS)
        return complain(file->path, fd, "device is not writable; name another one");
    if (fd < 0)
        return complain(file->path, fd, NULL);
    if (sys_call(SYS_ioctl, fd, BLKGETSIZE64, &size) < 0 || !claim_device(fd, size)) {
        sys_call(SYS_close, fd);
        return complain(file->path, -EINVAL,
                        "device holds data; if it may be lost: wipefs -a, then mkswap");
    }
    file->device = true;
    file->header = CLAIM_EDGE;
    size -= min_u64(size, CLAIM_EDGE);
    if (file->size == 0 || file->size > size)
        file->size = size;
    return fd;
}

static int open_path(struct file *file)
{
    struct stat status;
    long error = sys_call(SYS_newfstatat, AT_FDCWD, file->path, &status, 0);

    if (error == -ENOENT)
        return open_new(file);
    if (error < 0)
        return complain(file->path, (int)error, NULL);
    if (S_ISDIR(status.st_mode))
        return open_in_directory(file);
    if (S_ISREG(status.st_mode))
        return open_existing(file);
    if (S_ISBLK(status.st_mode))
        return open_device(file);
    return complain(file->path, -EINVAL,
                    "is neither directory, file nor block device; name one of these");
}

/* Bytes that are free there; a file system that does not count has as many as anybody wants. */
static uint64_t free_space(const struct statfs *system)
{
    return system->f_blocks ? (uint64_t)system->f_bavail * (uint64_t)system->f_bsize : 1 * TIB;
}

/* Bytes that the file can grow to: what it has and what is free. */
static uint64_t space_for(const struct file *file, const struct statfs *system)
{
    struct stat status = {.st_blocks = 0};

    sys_call(SYS_fstat, file->fd, &status);
    return free_space(system) + (uint64_t)status.st_blocks * 512;
}

static void choose_size(struct file *file, uint64_t space)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

    if (file->size == 0)
        file->size = space / 2;
    if (file->size > space)
        msg_warning("--swap %s: is to hold more than there is space for now", file->path);
    /* A file that grows beyond the limit ends the program with SIGXFSZ. */
    sys_call(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit);
    if (file->size > limit.rlim_cur) {
        msg_warning("--swap %s: ulimit -f keeps it small; raise the limit", file->path);
        file->size = limit.rlim_cur;
    }
}

/* What the file system is like, and how large the file may be. */
static int look_at_system(struct file *file)
{
    struct statfs system;
    long error = sys_call(SYS_fstatfs, file->fd, &system);
    int flags = 0;

    if (error < 0)
        return complain(file->path, (int)error, NULL);
    file->ram = system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
    if (file->ram)
        msg_warning("--swap %s: is in RAM, so that nothing is gained; name a directory on a disk",
                    file->path);
    /* Copying on write would need space where a slot is written again. */
    if (system.f_type == BTRFS_SUPER_MAGIC &&
        sys_call(SYS_ioctl, file->fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        sys_call(SYS_ioctl, file->fd, FS_IOC_SETFLAGS, &flags);
    }
    choose_size(file, space_for(file, &system));
    return 0;
}

/* Write the mark, past the page cache if the file system lets us. */
static int probe(struct file *file)
{
    int error = -EINVAL;

    if (sys_call(SYS_fcntl, file->fd, F_SETFL, O_DIRECT | O_LARGEFILE) == 0) {
        error = claim_mark(file->fd);
        file->direct = error == 0;
    }
    if (!file->direct) {
        sys_call(SYS_fcntl, file->fd, F_SETFL, O_LARGEFILE);
        error = claim_mark(file->fd);
        if (!error && !file->ram)
            msg_info("--swap %s: no direct IO there: using the page cache, which is slower",
                     file->path);
    }
    return error;
}

/* $TMPDIR, or /var/tmp. */
static const char *default_path(void)
{
    const char *path = getenv("TMPDIR");

    if (path && path[0] && sys_call(SYS_faccessat, AT_FDCWD, path, 7) == 0)
        return path;
    return "/var/tmp";
}

/* Decide on size and kind of IO, and leave the header. */
static int prepare(struct file *file)
{
    int error = file->device ? 0 : look_at_system(file);

    if (error)
        return error;
    file->size = align_down(file->size, PAGE_SIZE);
    if (file->size < SIZE_MIN)
        return complain(file->path, -EINVAL, "is too small; give it a size of at least 1M");
    error = probe(file);
    if (error == -ENOSPC || error == -EDQUOT)
        return complain(file->path, error, "no space left; free some or name another directory");
    return error ? complain(file->path, error, NULL) : 0;
}

int file_open(struct file *file, const char *path, uint64_t size)
{
    int error;

    *file = (struct file){.fd = -1, .size = size, .header = PAGE_SIZE, .allocates = true};
    file->path = meta_keep_text(path ? path : default_path());
    if (!file->path)
        return -ENOMEM;
    error = open_path(file);
    if (error >= 0) {
        file->fd = fd_move_high(error);
        error = prepare(file);
    }
    if (error)
        file_close(file);
    return error;
}

void file_close(struct file *file)
{
    size_t size = file->path ? align_up(strlen(file->path) + 1, PAGE_SIZE) : 0;

    fd_close(file->fd);
    meta_release((void *)(uintptr_t)file->path, size);
    meta_charge(-(int64_t)size);
    file->path = NULL;
    file->fd = -1;
}

uint64_t file_room(const struct file *file)
{
    struct statfs system;

    if (file->device || sys_call(SYS_fstatfs, file->fd, &system) < 0)
        return file->size;
    return min_u64(file->size, free_space(&system));
}

int file_allocate(struct file *file, uint64_t offset, uint64_t length)
{
    long error;

    if (file->device || !file->allocates)
        return 0;
    do
        error = sys_call(SYS_fallocate, file->fd, 0, offset, length);
    while (error == -EINTR);
    if (error != -EOPNOTSUPP && error != -ENOSYS)
        return (int)error;
    error = sys_call(SYS_ftruncate, file->fd, file->size);
    if (!error) {
        file->allocates = false;
        msg_info("--swap %s: space cannot be reserved there: a full disk may fail writes",
                 file->path);
    }
    return (int)error;
}

void file_discard(struct file *file, uint64_t offset, uint64_t length)
{
    uint64_t range[2] = {offset, length};

    if (file->device)
        sys_call(SYS_ioctl, file->fd, BLKDISCARD, range);
    else
        sys_call(SYS_fallocate, file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                 length);
}

void file_was_read(struct file *file, uint64_t offset, uint64_t length)
{
    if (!file->direct && !file->ram)
        sys_call(SYS_fadvise64, file->fd, offset, length, POSIX_FADV_DONTNEED);
}

void file_was_written(struct file *file, uint64_t offset, uint64_t length)
{
    if (file->direct || file->ram)
        return;
    sys_call(SYS_sync_file_range, file->fd, offset, length, SYNC_FILE_RANGE_WRITE);
    if (atomic_fetch_add(&file->unflushed, length) + length < UNFLUSHED_MAX)
        return;
    atomic_store(&file->unflushed, 0);
    sys_call(SYS_sync_file_range, file->fd, 0, 0,
             SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    sys_call(SYS_fadvise64, file->fd, 0, 0, POSIX_FADV_DONTNEED);
}
