/* SPDX-License-Identifier: MIT */
/*
 * A userfaultfd of its own for each view, of shared memory: pages that are in the file, but not
 * mapped here, arrive as faults too (UFFD_FEATURE_MINOR_SHMEM, Linux 5.14).
 */
#include "shared/view.h"

#include "base/fd.h"
#include "base/mman.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#define FEATURES (UFFD_FEATURE_SIGBUS | UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_MISSING_SHMEM)

static int open_uffd(void)
{
    struct uffdio_api api = {.api = UFFD_API, .features = FEATURES};
    long fd = sys_call(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    long error;

    if (fd < 0)
        return (int)fd;
    error = sys_call(SYS_ioctl, fd, UFFDIO_API, &api);
    if (!error)
        return fd_move_high((int)fd);
    sys_call(SYS_close, fd);
    return error == -EINVAL ? -ENOSYS : (int)error;
}

static int cover(struct shared *shared)
{
    struct uffdio_register call = {
        .range = {(uintptr_t)shared->view, shared->file->size},
        .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
    };

    shared->uffd = open_uffd();
    if (shared->uffd < 0)
        return shared->uffd;
    return (int)sys_call(SYS_ioctl, shared->uffd, UFFDIO_REGISTER, &call);
}

/* A kernel without huge pages refuses, and has none. */
void view_keep_small(char *address, uint64_t size)
{
    sys_call(SYS_madvise, address, size, MADV_NOHUGEPAGE);
}

/* A child of fork does not get it: it would see holes as zeros, for its userfaultfd is not ours. */
/*
 * A process whose memory is all locked (mlockall()) would have the view filled with zeros before it
 * is covered: it cannot be touched until then, and is not locked.
 */
int view_open(struct shared *shared)
{
    int protection = shared->writable ? PROT_READ | PROT_WRITE : PROT_READ;
    int place = shared->reserved ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    int flags = MAP_SHARED | MAP_NORESERVE | (shared->view ? place : 0);
    long view = sys_call(SYS_mmap, shared->view, shared->file->size, PROT_NONE, flags,
                         shared->alive.fd, shared->file->content);
    int error;

    if (view < 0 && view > -4096)
        return (int)view;
    shared->view = (char *)view;
    shared->reserved = 0;
    view_keep_small(shared->view, shared->file->size);
    error = (int)sys_call(SYS_madvise, view, shared->file->size, MADV_DONTFORK);
    if (!error)
        error = (int)sys_call(SYS_munlock, view, shared->file->size);
    if (!error)
        error = cover(shared);
    if (!error)
        error = (int)sys_call(SYS_mprotect, view, shared->file->size, protection);
    if (error)
        view_close(shared);
    return error;
}

bool view_has(const struct shared *shared, uint64_t object)
{
    return atomic_load_explicit(&shared->mapped[object / 64], memory_order_relaxed) >>
               (object % 64) &
           1;
}

static void mark(struct shared *shared, uint64_t object, bool mapped)
{
    uint64_t here = (uint64_t)1 << (object % 64);
    uint64_t bit = (uint64_t)1 << shared->member;

    if (mapped) {
        atomic_fetch_or(&shared->file->objects[object].mapped, bit);
        atomic_fetch_or(&shared->mapped[object / 64], here);
    } else {
        atomic_fetch_and(&shared->mapped[object / 64], ~here);
        atomic_fetch_and(&shared->file->objects[object].mapped, ~bit);
    }
}

/* What is mapped already, by another thread or after an attempt that came half way, stays. */
static int map_pages(struct shared *shared, uintptr_t address, uint64_t size)
{
    uint64_t done = 0;

    while (done < size) {
        struct uffdio_continue call = {.range = {address + done, size - done}};
        long error = sys_call(SYS_ioctl, shared->uffd, UFFDIO_CONTINUE, &call);

        if (call.mapped > 0)
            done += (uint64_t)call.mapped;
        else if (error == -EEXIST)
            done += PAGE_SIZE;
        else if (error && error != -EAGAIN)
            return (int)error;
    }
    return 0;
}

int view_map(struct shared *shared, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++)
        mark(shared, i, true);
    return map_pages(shared, (uintptr_t)shared_view(shared, first), count << shared->object_shift);
}

/* Nothing is mapped any more. */
static void unmark_all(struct shared *shared)
{
    for (uint64_t object = 0; object < shared->count; object++)
        if (view_has(shared, object))
            mark(shared, object, false);
}

void view_close(struct shared *shared)
{
    sys_call(SYS_munmap, shared->view, shared->file->size);
    fd_close(shared->uffd);
    shared->uffd = -1;
    unmark_all(shared);
}

/* Also when the program has locked the memory. */
static bool drop_pages(char *address, uint64_t size)
{
    if (sys_call(SYS_madvise, address, size, MADV_DONTNEED_LOCKED) == 0)
        return true;
    if (sys_call(SYS_madvise, address, size, MADV_DONTNEED) == 0)
        return true;
    sys_call(SYS_munlock, address, size); /* before Linux 5.18 */
    return sys_call(SYS_madvise, address, size, MADV_DONTNEED) == 0;
}

/* What cannot be unmapped stays ours: it must not leave memory. */
void view_unmap(struct shared *shared, uint64_t first, uint64_t count)
{
    if (!drop_pages(shared_view(shared, first), count << shared->object_shift))
        return;
    for (uint64_t i = first; i < first + count; i++)
        mark(shared, i, false);
}
