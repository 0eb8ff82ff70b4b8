/* SPDX-License-Identifier: MIT */
#include "shared/attach.h"

#include "base/door.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/mman.h"
#include "base/msg.h"
#include "base/sys.h"
#include "shared/clock.h"
#include "shared/member.h"
#include "shared/persist.h"
#include "shared/view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct shared *_Atomic shared_attached[SHARED_ATTACHED];

static int complain(const struct shared *shared, int error, const char *reason)
{
    char number[8];

    msg_error("region %s: %s (%s)", shared->name, reason, fmt_errno(error, number));
    return error;
}

/* ---- The parts of a region that is open ---- */

/* Where the view is to be; before a mapping of ours finds the place empty. */
static int reserve_place(struct shared *shared)
{
    uint64_t size = shared_file_content_size(shared->alive.fd);
    long got;

    if (!shared->view)
        return 0;
    got = sys_call(SYS_mmap, shared->view, size, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == (long)shared->view) {
        shared->reserved = size;
        return 0;
    }
    if (got > 0) /* a kernel that does not know MAP_FIXED_NOREPLACE */
        sys_call(SYS_munmap, got, size);
    return complain(shared, got > 0 ? -EEXIST : (int)got, "it cannot be mapped there");
}

static int open_file(struct shared *shared)
{
    const char *reason;
    int fd = shared_file_enter(shared->name, shared->path);
    int error;

    if (fd < 0)
        return fd;
    alive_init(&shared->alive, fd_move_high(fd));
    error = reserve_place(shared);
    if (error)
        return error;
    error = shared_file_map(shared->alive.fd, &shared->file, &reason);
    if (error)
        msg_error("region %s: %s (%s)", shared->name, reason, shared->path);
    return error;
}

static long open_direct(const char *path)
{
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_DIRECT, 0);

    if (fd == -EINVAL) /* a file system without it, as tmpfs was */
        fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    return fd;
}

static int open_store(struct shared *shared)
{
    struct stat status, owner;
    long fd = open_direct(shared->file->store);

    if (fd < 0)
        return complain(shared, (int)fd, "its store cannot be opened");
    shared->store_fd = fd_move_high((int)fd);
    if (sys_call(SYS_fstat, shared->store_fd, &status) ||
        sys_call(SYS_fstat, shared->alive.fd, &owner))
        return -EIO;
    /* The header is written by whoever may attach: it must not lead to the file of somebody else.
     */
    if (!S_ISREG(status.st_mode) || status.st_uid != owner.st_uid ||
        status.st_dev != shared->file->store_device || status.st_ino != shared->file->store_inode ||
        (uint64_t)status.st_size < shared->file->size)
        return complain(shared, -ESTALE, "its store has been replaced; remove the region");
    return 0;
}

static int map_alias(struct shared *shared)
{
    /* Not to be filled by mlockall(), as the view. */
    long alias = sys_call(SYS_mmap, 0, shared->file->size, PROT_NONE, MAP_SHARED | MAP_NORESERVE,
                          shared->alive.fd, shared->file->content);
    int error;

    if (alias < 0 && alias > -4096)
        return (int)alias;
    shared->alias = (char *)alias;
    view_keep_small(shared->alias, shared->file->size);
    error = (int)sys_call(SYS_munlock, alias, shared->file->size);
    if (error)
        return error;
    return (int)sys_call(SYS_mprotect, alias, shared->file->size, PROT_READ | PROT_WRITE);
}

static uint64_t bits_size(const struct shared *shared)
{
    return (shared->count + 63) / 64 * sizeof(uint64_t);
}

static uint64_t pins_size(const struct shared *shared)
{
    return shared->count * sizeof(uint16_t);
}

static int make_tables(struct shared *shared)
{
    shared->count = shared_file_objects(shared->file);
    shared->object_shift = (unsigned)__builtin_ctzll(shared->file->object_size);
    shared->mapped = meta_reserve(bits_size(shared));
    shared->pins = meta_reserve(pins_size(shared));
    if (!shared->mapped || !shared->pins)
        return -ENOMEM;
    meta_charge((int64_t)(bits_size(shared) + sizeof(*shared)));
    return 0;
}

void shared_drop(struct shared *shared)
{
    if (shared->mapped)
        meta_charge(-(int64_t)(bits_size(shared) + sizeof(*shared)));
    meta_release(shared->mapped, bits_size(shared));
    meta_release(shared->pins, pins_size(shared));
    if (shared->reserved)
        sys_call(SYS_munmap, shared->view, shared->reserved);
    if (shared->alias)
        sys_call(SYS_munmap, shared->alias, shared->file->size);
    if (shared->file)
        shared_file_unmap(shared->file);
    fd_close(shared->store_fd);
    fd_close(shared->alive.fd);
    meta_release(shared, sizeof(*shared));
}

/* ---- Opening and closing ---- */

/* In the door: nobody leaves a store that stays, or removes the region, meanwhile. */
static int join(struct shared *shared)
{
    int error = member_join(shared);

    if (error)
        return complain(shared, error, "it has 64 members already");
    if (shared->file->keeps)
        error = persist_begin_use(shared);
    if (error)
        member_leave(shared);
    if (error == -ESTALE)
        return complain(shared, error, "another region has used its store; remove this one");
    return error ? complain(shared, error, "it cannot be joined") : 0;
}

int shared_enter(const char *name, void *view, struct shared **result)
{
    struct shared *shared = meta_reserve(sizeof(*shared));
    int error;

    *result = shared;
    if (!shared)
        return -ENOMEM;
    shared->store_fd = shared->uffd = shared->alive.fd = -1;
    shared->view = view;
    fmt_write(shared->name, sizeof(shared->name), "%s", name);
    error = open_file(shared);
    if (!error)
        error = open_store(shared);
    if (!error)
        error = map_alias(shared);
    if (!error)
        error = make_tables(shared);
    if (!error)
        error = join(shared);
    if (shared->alive.fd >= 0)
        return error;
    shared_drop(shared);
    *result = NULL;
    return error;
}

int shared_open(const char *name, void *view, struct shared **result)
{
    int error = shared_enter(name, view, result);

    if (!error)
        door_leave((*result)->alive.fd);
    else if (*result)
        shared_drop(*result);
    return error;
}

/* All that is resident goes to the store; then it is whole. */
int shared_save(struct shared *shared)
{
    int error = clock_evict_all(shared) ? -EIO : persist_save(shared);

    return error ? complain(shared, error, "its store cannot be made whole") : 0;
}

/* Its description goes, and with it the door. */
void shared_leave(struct shared *shared)
{
    member_leave(shared);
    shared_drop(shared);
}

/* Who does not get to the door leaves all the same: what it would have saved is in memory. */
int shared_close(struct shared *shared)
{
    int error = door_enter(shared->alive.fd, "region", shared->name);

    if (!error && shared->file->keeps && member_reap_all(shared) == 0)
        error = shared_save(shared);
    shared_leave(shared);
    return error;
}

/* ---- Attaching and detaching ---- */

static int find_place(void)
{
    for (int i = 0; i < SHARED_ATTACHED; i++)
        if (!atomic_load(&shared_attached[i]))
            return i;
    return -EMFILE;
}

int shared_attach(const char *name, unsigned flags, void **address, size_t *size)
{
    struct shared *shared;
    char number[8];
    int place = find_place();
    int error = place < 0 ? place : shared_open(name, *address, &shared);

    if (error)
        return error;
    shared->writable = !(flags & USWAP_SHARED_READ_ONLY);
    error = view_open(shared);
    if (error) {
        int closed = shared_close(shared);
        msg_error("region %s: it cannot be mapped (%s)", name, fmt_errno(error, number));
        return closed ? closed : error;
    }
    *address = shared->view;
    *size = shared->file->size;
    atomic_store(&shared_attached[place], shared);
    return 0;
}

struct shared *shared_find(const void *address)
{
    for (unsigned i = 0; i < SHARED_ATTACHED; i++) {
        struct shared *shared = atomic_load_explicit(&shared_attached[i], memory_order_acquire);
        if (shared && (uintptr_t)address - (uintptr_t)shared->view < shared->file->size)
            return shared;
    }
    return NULL;
}

struct shared *shared_take_out(const void *view)
{
    for (unsigned i = 0; i < SHARED_ATTACHED; i++) {
        struct shared *shared = atomic_load(&shared_attached[i]);
        if (!shared || shared->view != view)
            continue;
        atomic_store(&shared_attached[i], NULL);
        return shared;
    }
    return NULL;
}

/* ---- fork ---- */

/* Nothing of the parent's description of the file is kept. */
static int take_own_description(struct shared *shared)
{
    uint64_t content = shared->file->content;
    int fd = alive_open_again(&shared->alive);
    int error;

    if (fd < 0)
        return -EBADF;
    alive_become(&shared->alive, fd);
    error = alive_map_again(&shared->alive, shared->file, content, 0);
    if (error)
        return error;
    error = alive_map_again(&shared->alive, shared->alias, shared->file->size, content);
    if (!error)
        view_keep_small(shared->alias, shared->file->size);
    return error;
}

/* Nothing has been mapped where the views were: this comes before all else in the child.
 * The parent's place stays the parent's: its lock goes with its description. */
static int rejoin(struct shared *shared)
{
    int error = take_own_description(shared);

    if (error)
        return error;
    memset((void *)shared->mapped, 0, bits_size(shared));
    memset((void *)shared->pins, 0, pins_size(shared));
    atomic_store(&shared->reaping, false);
    fd_close(shared->uffd);
    shared->reserved = 0;
    error = door_enter(shared->alive.fd, "region", shared->name);
    if (error)
        return error;
    error = join(shared);
    door_leave(shared->alive.fd);
    return error ? error : view_open(shared);
}

int shared_fork_child(void)
{
    int error = 0;

    for (unsigned i = 0; i < SHARED_ATTACHED && !error; i++)
        if (atomic_load(&shared_attached[i]))
            error = rejoin(atomic_load(&shared_attached[i]));
    return error;
}
