/* SPDX-License-Identifier: MIT */
/*
 * Making a region. Its file gets its name when it is whole. The store's file is locked from when it
 * is opened until then: of two that make the same region at the same time, one is refused.
 */
#include "base/fd.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/msg.h"
#include "base/size.h"
#include "base/sys.h"
#include "shared/persist.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is being made. */
struct making {
    const char *name;
    struct shared_shape shape;
    mode_t mode;
    bool keeps, existed; /* the store is a file that stays; it was there */
    char path[SHARED_PATH_MAX];
    char store[SHARED_PATH_MAX];
    int fd, store_fd;
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

/* ---- The store ---- */

static bool name_is_taken(const struct making *making)
{
    return sys_call(SYS_faccessat, AT_FDCWD, making->path, 0) == 0;
}

static int open_store(struct making *making)
{
    long fd = name_is_taken(making)
                  ? -EEXIST
                  : sys_call(SYS_openat, AT_FDCWD, making->store,
                             O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, making->mode);
    struct flock lock = {.l_type = F_WRLCK};
    struct stat status;

    if (fd == -EEXIST)
        return refuse(making, -EEXIST, "it is there already");
    if (fd < 0)
        return refuse(making, (int)fd, "its store cannot be made; name a writable directory");
    making->store_fd = (int)fd;
    if (sys_call(SYS_fcntl, fd, F_OFD_SETLK, &lock) < 0)
        return refuse(making, -EEXIST, "somebody else is making it");
    if (name_is_taken(making))
        return refuse(making, -EEXIST, "it is there already");
    if (sys_call(SYS_fstat, fd, &status) || !S_ISREG(status.st_mode))
        return refuse(making, -EINVAL, "its store is not a file");
    making->existed = status.st_size != 0;
    return 0;
}

/* A file that stays and holds a region decides about its shape. */
static int look_into_store(struct making *making)
{
    struct shared_shape found;
    int error;

    if (!making->keeps || !making->existed)
        return 0;
    error = persist_look(making->store_fd, &found);
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

/* All of the file now: an object that leaves memory must find its place. */
static int reserve_store(struct making *making)
{
    uint64_t size = making->keeps ? persist_file_size(&making->shape) : making->shape.size;
    long error = 0;

    if (making->keeps && making->existed)
        return 0;
    if (!making->keeps)
        error = sys_call(SYS_ftruncate, making->store_fd, 0);
    if (!error)
        error = sys_call(SYS_fallocate, making->store_fd, 0, 0, size);
    if (error == -EOPNOTSUPP)
        error = sys_call(SYS_ftruncate, making->store_fd, size);
    return error ? refuse(making, (int)error, "there is no room for its store") : 0;
}

static void choose_store(struct making *making, const struct uswap_shared_options *options)
{
    const char *folder = options->swap ? options->swap : getenv("TMPDIR");

    if (making->keeps)
        fmt_write(making->store, sizeof(making->store), "%s", options->persist);
    else
        fmt_write(making->store, sizeof(making->store), "%s/" SHARED_PREFIX "%lu-%s.swap",
                  folder && *folder ? folder : "/var/tmp", (unsigned long)sys_call(SYS_geteuid),
                  making->name);
}

/* ---- The file ---- */

static int fill_file(struct making *making, struct shared_file *file)
{
    struct stat status;
    int error = (int)sys_call(SYS_fstat, making->store_fd, &status);

    if (error)
        return error;
    file->store_device = status.st_dev;
    file->store_inode = status.st_ino;
    file->keeps = making->keeps;
    memcpy(file->store, making->store, sizeof(file->store));
    if (making->keeps && making->existed)
        error = persist_load(making->store_fd, file);
    else if (making->keeps)
        error = persist_begin(making->store_fd, file);
    if (error)
        return refuse(making, error, "its store cannot be read, or is damaged");
    shared_file_seal(file);
    return 0;
}

static int make_file(struct making *making)
{
    struct shared_file *file;
    long fd = sys_call(SYS_openat, AT_FDCWD, OWNED_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int error;

    if (fd < 0)
        return refuse(making, (int)fd, "its file cannot be made in " OWNED_FOLDER);
    making->fd = (int)fd;
    error = shared_file_make(making->fd, &making->shape, &file);
    if (error)
        return refuse(making, error, "there is no room for its file in " OWNED_FOLDER);
    error = fill_file(making, file);
    shared_file_unmap(file);
    if (!error)
        error = (int)sys_call(SYS_fchmod, making->fd, making->mode);
    if (!error)
        error = (int)sys_call(SYS_fchmod, making->store_fd, making->mode);
    return error;
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
    error = open_store(making);
    if (!error)
        error = look_into_store(making);
    if (!error)
        error = reserve_store(making);
    if (!error)
        error = make_file(making);
    if (error)
        return error;
    error = fd_give_name(making->fd, making->path);
    return error ? refuse(making, error, "its file cannot be named") : 0;
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
    /* A store that was made for it goes with it; one of -EEXIST is somebody else's. */
    if (error && error != -EEXIST && making->store_fd >= 0 && !making->existed)
        sys_call(SYS_unlinkat, AT_FDCWD, making->store, 0);
    close_fd(making->fd);
    close_fd(making->store_fd);
    meta_release(making, sizeof(*making));
    return error;
}
