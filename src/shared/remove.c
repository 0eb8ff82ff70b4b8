/* SPDX-License-Identifier: MIT */
/*
 * The order, all of it in the door: the file says that it is whole no longer; the store goes; the
 * file goes. Who finds it as it was left in between removes the rest. A store that stays has been
 * made whole before, and only the file goes.
 *
 * The header can be written by all who may attach: only what is named like the store of this very
 * region, and belongs to the owner of its file, is removed.
 */
#include "shared/remove.h"

#include "base/fmt.h"
#include "base/msg.h"
#include "base/sys.h"
#include "shared/attach.h"
#include "shared/member.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static int complain(const char *name, int error, const char *reason)
{
    char number[8];

    msg_error("region %s: %s (%s)", name, reason, fmt_errno(error, number));
    return error;
}

/* Whether the path is what the store would be called in its folder. */
static bool is_its_store(const char *name, const char *path)
{
    char expected[SHARED_PATH_MAX];
    size_t length = strnlen(path, SHARED_PATH_MAX), tail;

    shared_name_store(name, "", expected);
    tail = strlen(expected);
    return length < SHARED_PATH_MAX && length > tail && strcmp(path + length - tail, expected) == 0;
}

static void remove_store(const char *name, int fd, const char *path)
{
    struct stat store, owner;

    if (is_its_store(name, path) && sys_call(SYS_fstat, fd, &owner) == 0 &&
        sys_call(SYS_newfstatat, AT_FDCWD, path, &store, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(store.st_mode) && store.st_uid == owner.st_uid)
        sys_call(SYS_unlinkat, AT_FDCWD, path, 0);
}

void remove_half_store(const char *name, int fd)
{
    struct shared_file header = {0};

    if (sys_call(SYS_pread64, fd, &header, sizeof(header), 0) == (long)sizeof(header) &&
        !header.check && !header.keeps)
        remove_store(name, fd, header.store);
}

/* The folder lets nobody else remove it; but the store's may. */
static int check_right(const struct shared *shared)
{
    long user = sys_call(SYS_geteuid);
    struct stat status;
    int error = (int)sys_call(SYS_fstat, shared->alive.fd, &status);

    if (error || !user || status.st_uid == user)
        return error;
    return complain(shared->name, -EPERM, "only its owner can remove it");
}

static int unlink_file(const struct shared *shared)
{
    int error = (int)sys_call(SYS_unlinkat, AT_FDCWD, shared->path, 0);

    return error ? complain(shared->name, error, "its file cannot be removed") : 0;
}

/* Who has it goes on with what is open. */
static int remove_whole(struct shared *shared)
{
    unsigned others = member_reap_all(shared);
    int error = check_right(shared);

    if (!error && shared->file->keeps)
        error = others ? complain(shared->name, -EBUSY,
                                  "it is in use, and its store must be left whole")
                       : shared_save(shared);
    if (error)
        return error;
    if (!shared->file->keeps) {
        shared_file_unseal(shared->file);
        remove_store(shared->name, shared->alive.fd, shared->file->store);
    }
    return unlink_file(shared);
}

/* What cannot be opened can be removed all the same, if its store is gone or another's, or it is
 * not whole. */
static int remove_broken(struct shared *shared, int error)
{
    if (error != -ENOENT && error != -ESTALE && error != -EUCLEAN)
        return error;
    error = check_right(shared);
    if (error)
        return error;
    remove_half_store(shared->name, shared->alive.fd);
    return unlink_file(shared);
}

int shared_unlink(const char *name)
{
    struct shared *shared;
    int error = shared_enter(name, NULL, &shared);

    if (!shared)
        return error;
    if (error) {
        error = remove_broken(shared, error);
        shared_drop(shared);
        return error;
    }
    error = remove_whole(shared);
    shared_leave(shared);
    return error;
}
