/* SPDX-License-Identifier: MIT */
/*
 * Making a region. It begins with the name: an empty file in /dev/shm, whose door (base/door.h) is
 * held until all is made, so that two of one name are made one after the other. The file is sealed
 * last. Before that it says which store is made for it: when we die, whoever wants the name, or
 * removes it, removes that first.
 *
 * A store that stays is a whole one, of zeros, from its first byte on. It is locked while it is
 * looked at: regions of other names may be made of it.
 */
#include "base/door.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/msg.h"
#include "base/owned.h"
#include "base/size.h"
#include "base/sys.h"
#include "shared/persist.h"
#include "shared/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

/* What is being made. */
struct making {
    const char *name;
    struct shared_shape shape;
    mode_t mode;
    bool keeps;   /* the store is a file that stays */
    bool existed; /* and it was there */
    bool claimed; /* the name is ours */
    char path[SHARED_PATH_MAX];
    char store[SHARED_PATH_MAX];
    int fd, store_fd;
    struct shared_file *file;
};

static int refuse(const struct making *making, int error, const char *reason)
{
    char number[8];

    msg_error("region %s: %s (%s)", making->name, reason, fmt_errno(error, number));
    return error;
}

static int check_shape(const struct making *making)
{
    const struct shared_shape *shape = &making->shape;
    char size[16];

    if (!is_power_of_two(shape->object_size) || shape->object_size < PAGE_SIZE ||
        shape->object_size > 2 * MIB)
        return refuse(making, -EINVAL, "the size of an object is a power of two from 4K to 2M");
    if (shape->ram < SHARED_RAM_MIN || shape->ram < 16 * shape->object_size) {
        msg_error("region %s: a RAM budget of %s is too small; give 1M and 16 objects at least",
                  making->name, size_format(shape->ram, size));
        return -EINVAL;
    }
    return 0;
}

static int take_options(struct making *making, const struct uswap_shared_options *options)
{
    uint64_t object = options->object_size ? options->object_size : SHARED_OBJECT_SIZE;

    making->mode = options->mode ? options->mode : 0600;
    making->shape.object_size = object;
    making->shape.ram = align_down(options->ram, PAGE_SIZE);
    making->keeps = options->persist != NULL;
    if (!shared_name_is_good(making->name) || strchr(making->name, '/'))
        return refuse(making, -EINVAL,
                      "not a name; letters, digits, dots, underscores and hyphens, at most 40");
    if (!options->size && !making->keeps)
        return refuse(making, -EINVAL, "the size is missing");
    if (!is_power_of_two(object))
        return check_shape(making);
    making->shape.size = align_up(options->size, object);
    return making->shape.size < options->size ? -EINVAL : check_shape(making);
}

/* ---- The name ---- */

/* What is there under the name, in its door: nothing yet, what somebody left who died, or a region.
 */
static int look_at_file(struct making *making)
{
    struct shared_file *file;
    const char *reason;
    int error = owned_check(making->fd, (uint64_t)sys_call(SYS_geteuid));

    if (error == -EPERM)
        return refuse(making, error, "its file belongs to another user");
    if (!error)
        error = shared_file_map(making->fd, &file, &reason);
    if (!error)
        shared_file_unmap(file);
    if (error != -EUCLEAN && error != -ENOENT)
        return refuse(making, -EEXIST, "it is there already");
    remove_half_store(making->name, making->fd);
    return (int)sys_call(SYS_ftruncate, making->fd, 0);
}

static int claim_name(struct making *making)
{
    int error;

    making->fd = door_open(making->path, O_RDWR | O_CREAT, "region", making->name);
    if (making->fd == -ETIMEDOUT) /* has been said */
        return making->fd;
    if (making->fd < 0)
        return refuse(making, making->fd, "its file cannot be made in " OWNED_FOLDER);
    error = look_at_file(making);
    making->claimed = !error;
    return error;
}

/* ---- The store ---- */

/* One that does not stay is new: what has its name may be another container's, and goes on. */
static int open_store(struct making *making)
{
    int flags = making->keeps ? 0 : O_EXCL;
    struct flock lock = {.l_type = F_WRLCK};
    struct stat status;
    long fd;

    if (!making->keeps)
        sys_call(SYS_unlinkat, AT_FDCWD, making->store, 0);
    fd = sys_call(SYS_openat, AT_FDCWD, making->store,
                  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, making->mode);
    if (fd < 0)
        return refuse(making, (int)fd, "its store cannot be made; name a writable directory");
    making->store_fd = (int)fd;
    making->existed = true; /* until we know better */
    if (sys_call(SYS_fcntl, fd, F_OFD_SETLK, &lock) < 0)
        return refuse(making, -EBUSY, "another region is being made of its store");
    if (sys_call(SYS_fstat, fd, &status) || !S_ISREG(status.st_mode))
        return refuse(making, -EINVAL, "its store is not a file");
    making->existed = status.st_size != 0;
    return 0;
}

/* A file that stays and holds a region decides about its shape. */
static int look_into_store(struct making *making)
{
    struct shared_shape found;
    int error = persist_look(making->store_fd, &found);

    if (error == -EUCLEAN)
        return refuse(making, error,
                      "its store was in use when the machine stopped: its parts do "
                      "not fit together");
    if (error)
        return refuse(making, error, "the file is not the store of a region");
    if (making->shape.size && making->shape.size != found.size)
        return refuse(making, -EINVAL, "its store is of another size");
    found.ram = making->shape.ram;
    making->shape = found;
    return check_shape(making);
}

/* All of the file now: an object that leaves memory must find its place. One that was there may
 * have been left before this was done. */
static int reserve_store(struct making *making)
{
    uint64_t size = making->keeps ? persist_file_size(&making->shape) : making->shape.size;
    long error = sys_call(SYS_fallocate, making->store_fd, 0, 0, size);

    if (error == -EOPNOTSUPP) {
        msg_warning(
            "region %s: space cannot be reserved for its store: a full disk may fail writes",
            making->name);
        error = making->keeps ? 0 : sys_call(SYS_ftruncate, making->store_fd, size);
    }
    return error ? refuse(making, (int)error, "there is no room for its store") : 0;
}

static int make_store(struct making *making)
{
    int error = open_store(making);

    if (!error && making->keeps && making->existed)
        error = look_into_store(making);
    else if (!error && making->keeps)
        error = persist_make(making->store_fd, &making->shape);
    return error ? error : reserve_store(making);
}

static void choose_store(struct making *making, const struct uswap_shared_options *options)
{
    const char *folder = options->swap ? options->swap : getenv("TMPDIR");

    if (making->keeps)
        fmt_write(making->store, sizeof(making->store), "%s", options->persist);
    else
        shared_name_store(making->name, folder && *folder ? folder : "/var/tmp", making->store);
}

/* ---- The file ---- */

/* What may be resident must find its place when it is needed. A file system without a limit says 0.
 */
static int check_memory(const struct making *making)
{
    char free[16], ram[16];
    struct statfs system;
    uint64_t bytes;

    if (sys_call(SYS_fstatfs, making->fd, &system) || !system.f_blocks)
        return 0;
    bytes = (uint64_t)system.f_bavail * (uint64_t)system.f_bsize;
    if (bytes >= making->shape.ram)
        return 0;
    msg_error("region %s: a RAM budget of %s is more than the %s that are free in " OWNED_FOLDER
              " (ENOSPC)",
              making->name, size_format(making->shape.ram, ram), size_format(bytes, free));
    return -ENOSPC;
}

static int lay_out(struct making *making)
{
    int error = check_memory(making);

    if (error)
        return error;
    error = shared_file_make(making->fd, &making->shape, &making->file);
    if (error)
        return refuse(making, error, "there is no room for its file in " OWNED_FOLDER);
    making->file->keeps = making->keeps;
    memcpy(making->file->store, making->store, sizeof(making->file->store));
    return 0;
}

static int fill_in(struct making *making)
{
    struct shared_file *file = making->file;
    struct stat status;
    int error = (int)sys_call(SYS_fstat, making->store_fd, &status);

    if (error)
        return error;
    file->store_device = status.st_dev;
    file->store_inode = status.st_ino;
    error = making->keeps ? persist_load(making->store_fd, file) : 0;
    return error ? refuse(making, error, "its store cannot be read, or is damaged") : 0;
}

/* The store decides about the shape when it stays; else the file is first, and knows the store. */
static int make_both(struct making *making)
{
    int error = making->keeps ? make_store(making) : 0;

    if (!error)
        error = lay_out(making);
    if (!error && !making->keeps)
        error = make_store(making);
    return error ? error : fill_in(making);
}

static int make(struct making *making, const struct uswap_shared_options *options)
{
    int error = take_options(making, options);

    if (error)
        return error;
    choose_store(making, options);
    if (making->store[0] != '/')
        return refuse(making, -EINVAL, "give a path from / on for its store");
    shared_name_path(making->name, making->path);
    error = claim_name(making);
    if (!error)
        error = make_both(making);
    if (!error)
        error = (int)sys_call(SYS_fchmod, making->store_fd, making->mode);
    if (!error)
        error = (int)sys_call(SYS_fchmod, making->fd, making->mode);
    if (error)
        return error;
    shared_file_seal(making->file);
    return 0;
}

/* A store that was made for it goes with it. */
static void undo(struct making *making)
{
    if (making->store_fd >= 0 && !making->existed)
        sys_call(SYS_unlinkat, AT_FDCWD, making->store, 0);
    if (making->claimed)
        sys_call(SYS_unlinkat, AT_FDCWD, making->path, 0);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        sys_call(SYS_close, fd);
}

int shared_create(const char *name, const struct uswap_shared_options *options)
{
    struct making *making = meta_reserve(sizeof(*making));
    int error;

    if (!making)
        return -ENOMEM;
    making->name = name;
    making->fd = making->store_fd = -1;
    error = make(making, options);
    if (error)
        undo(making);
    if (making->file)
        shared_file_unmap(making->file);
    close_fd(making->store_fd);
    close_fd(making->fd); /* and the door is free */
    meta_release(making, sizeof(*making));
    return error;
}
