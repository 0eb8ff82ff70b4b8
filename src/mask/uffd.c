/* SPDX-License-Identifier: MIT */
/*
 * The page mask by userfaultfd. UFFD_FEATURE_SIGBUS makes the faulting thread resolve its own
 * fault, and UFFD_USER_MODE_ONLY needs no privilege. Content changes place by UFFDIO_MOVE
 * (Linux 6.8), or where the kernel lacks that, or refuses it for a page, by protecting the source
 * against writes, copying it and dropping it, which gives the same guarantee for one more copy.
 *
 * State: one file descriptor and the covered ranges, written at start and in a child after fork.
 */
#include "base/fd.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/mman.h"
#include "base/sys.h"
#include "mask/mask.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* Newer than Debian 12's headers. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFDIO_MOVE
#define UFFD_FEATURE_MOVE (1ull << 16)
struct uffdio_move {
    uint64_t dst;
    uint64_t src;
    uint64_t len;
    uint64_t mode;
    int64_t move;
};
#define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
#endif

/* How often a call that the kernel asks to repeat is repeated before it counts as failed. */
#define RETRIES 1000

/* Pages that are looked at together whether they were moved. */
#define MOVED_PAGES 64

struct range {
    uintptr_t address;
    size_t size;
};

static struct {
    int fd;
    bool can_move;
    unsigned range_count;
    struct range ranges[MASK_RANGES];
} mask = {.fd = -1};

/* What is lent: sorted by address, neighbours merged. Guarded by the caller of mask_lend(). */
static struct {
    struct range
        *ranges; /* one more than the most; NULL until something is lent for the first time */
    unsigned count;
} lent;

/* What UFFDIO_COPY fills with: larger runs in one call cost less a page. */
static const char zeros[64 * 1024] __attribute__((aligned(PAGE_SIZE)));

/* A descriptor whose features are enabled, or -errno. */
static int open_with(uint64_t features)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    long fd = sys_call(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    long error;

    if (fd < 0)
        return (int)fd;
    error = sys_call(SYS_ioctl, fd, UFFDIO_API, &api);
    if (error < 0) {
        sys_call(SYS_close, fd);
        return (int)error;
    }
    return fd_move_high((int)fd);
}

static const char *explain(int error)
{
    switch (error) {
    case -ENOSYS:
        return "this kernel has no userfaultfd: Linux 5.11 or newer with CONFIG_USERFAULTFD is "
               "needed";
    case -EPERM:
        return "userfaultfd is forbidden here: allow the system call in the container's seccomp "
               "profile";
    case -EINVAL:
        return "this kernel's userfaultfd lacks SIGBUS delivery, write protection or user mode: "
               "Linux 5.11 or newer is needed";
    default:
        return "userfaultfd cannot be opened: see whether the limit of open files is reached";
    }
}

/* USWAP_MASK=copy does without UFFDIO_MOVE, as kernels before 6.8 must: for tests and comparison.
 */
static bool move_wanted(void)
{
    const char *engine = getenv("USWAP_MASK");

    return !engine || strcmp(engine, "copy") != 0;
}

static int open_best(bool try_move, bool *can_move)
{
    uint64_t needed = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP;
    int fd = try_move ? open_with(needed | UFFD_FEATURE_MOVE) : -EINVAL;

    *can_move = fd >= 0;
    return fd == -EINVAL ? open_with(needed) : fd;
}

int mask_probe(const char **reason)
{
    bool can_move;
    int fd = open_best(move_wanted(), &can_move);

    if (fd < 0) {
        *reason = explain(fd);
        return fd;
    }
    fd_close(fd);
    return 0;
}

int mask_start(const char **reason)
{
    int fd = open_best(move_wanted(), &mask.can_move);

    if (fd < 0) {
        *reason = explain(fd);
        return fd;
    }
    mask.fd = fd;
    return 0;
}

void mask_stop(void)
{
    sys_call(SYS_close, mask.fd);
    mask.fd = -1;
    mask.range_count = 0;
}

static int register_range(const struct range *range)
{
    struct uffdio_register call = {
        .range = {range->address, range->size},
        .mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
    };

    return (int)sys_call(SYS_ioctl, mask.fd, UFFDIO_REGISTER, &call);
}

int mask_cover(void *address, size_t size)
{
    struct range range = {(uintptr_t)address, size};
    int error = mask.range_count < MASK_RANGES ? register_range(&range) : -ENOSPC;

    if (!error)
        mask.ranges[mask.range_count++] = range;
    return error;
}

/* ---- Lent ranges ---- */

/* The first lent range that ends behind an address. */
static unsigned lent_after(uintptr_t address)
{
    unsigned low = 0, high = lent.count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (lent.ranges[middle].address + lent.ranges[middle].size > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void lent_remove(unsigned index)
{
    lent.count--;
    memmove(&lent.ranges[index], &lent.ranges[index + 1],
            (lent.count - index) * sizeof(*lent.ranges));
}

static void lent_insert(unsigned index, uintptr_t address, size_t size)
{
    memmove(&lent.ranges[index + 1], &lent.ranges[index],
            (lent.count - index) * sizeof(*lent.ranges));
    lent.ranges[index] = (struct range){address, size};
    lent.count++;
}

int mask_lend(void *address, size_t size)
{
    uintptr_t start = (uintptr_t)address;
    unsigned index;

    if (!lent.ranges)
        lent.ranges = meta_reserve((MASK_LENT_MAX + 1) * sizeof(*lent.ranges));
    if (!lent.ranges || lent.count == MASK_LENT_MAX)
        return -ENOMEM;
    index = lent_after(start);
    if (index < lent.count && lent.ranges[index].address == start + size) {
        lent.ranges[index].address = start;
        lent.ranges[index].size += size;
    } else {
        lent_insert(index, start, size);
    }
    if (index > 0 && lent.ranges[index - 1].address + lent.ranges[index - 1].size == start) {
        lent.ranges[index - 1].size += lent.ranges[index].size;
        lent_remove(index);
    }
    return 0;
}

/* All of it is lent, so it lies in one range. */
static int lent_cut(uintptr_t start, size_t size)
{
    unsigned index = lent_after(start);
    struct range *range = &lent.ranges[index];
    uintptr_t end = range->address + range->size;

    if (range->address < start && end > start + size && lent.count == MASK_LENT_MAX)
        return -ENOMEM;
    if (end > start + size)
        lent_insert(index + 1, start + size, end - start - size);
    range->size = start - range->address;
    if (!range->size)
        lent_remove(index);
    return 0;
}

int mask_take_back(void *address, size_t size)
{
    struct range range = {(uintptr_t)address, size};
    int error = lent_cut(range.address, size);
    long got;

    if (error)
        return error;
    /* Nobody may touch it before it is covered. */
    got = sys_call(SYS_mmap, address, size, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (got != (long)address)
        return (int)got;
    sys_call(SYS_madvise, address, size, MADV_DONTDUMP);
    sys_call(SYS_madvise, address, size, MADV_NOHUGEPAGE);
    error = register_range(&range);
    return error ? error : (int)sys_call(SYS_mprotect, address, size, PROT_READ | PROT_WRITE);
}

/* Register what of a range is not lent. */
static int register_own(const struct range *range)
{
    uintptr_t at = range->address, end = range->address + range->size;
    int error = 0;

    for (unsigned i = lent.count ? lent_after(at) : 0; !error && at < end; i++) {
        bool more = i < lent.count && lent.ranges[i].address < end;
        uintptr_t stop = more ? lent.ranges[i].address : end;
        struct range own = {at, stop - at};
        if (stop > at)
            error = register_range(&own);
        at = more ? stop + lent.ranges[i].size : end;
    }
    return error;
}

/* Until the ranges are registered this must not touch the program's memory, its environment
 * included: what is swapped out would read as zero, for good. */
int mask_fork_child(void)
{
    int error;

    fd_close(mask.fd);
    mask.fd = open_best(mask.can_move, &mask.can_move);
    error = mask.fd < 0 ? mask.fd : 0;
    for (unsigned i = 0; !error && i < mask.range_count; i++)
        error = register_own(&mask.ranges[i]);
    return error;
}

static int write_protect(uintptr_t address, size_t size, bool protect)
{
    struct uffdio_writeprotect call = {
        .range = {address, size},
        .mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
    };
    long error;

    for (int i = 0; i < RETRIES; i++) {
        error = sys_call(SYS_ioctl, mask.fd, UFFDIO_WRITEPROTECT, &call);
        if (error != -EAGAIN)
            break;
    }
    return (int)error;
}

bool mask_present(const void *page)
{
    unsigned char present = 0;

    return sys_call(SYS_mincore, page, PAGE_SIZE, &present) == 0 && (present & 1);
}

/* Fill missing pages at destination with what is at source, protected or not, by the mode. *filled
 * says how far it came. The kernel refuses a run whose parts the program has protected differently:
 * single pages then. */
static int copy_with(uint64_t mode, uintptr_t destination, uintptr_t source, size_t size,
                     size_t *filled)
{
    size_t done = 0, most = size;
    long error = 0;

    for (int i = 0; done < size && i < RETRIES; i++) {
        struct uffdio_copy call = {destination + done, source + done, min_u64(size - done, most),
                                   mode, 0};
        error = sys_call(SYS_ioctl, mask.fd, UFFDIO_COPY, &call);
        if (call.copy > 0) {
            done += (size_t)call.copy;
            i = 0;
        }
        if (error == -ENOENT && most > PAGE_SIZE)
            most = PAGE_SIZE;
        else if (error < 0 && error != -EAGAIN)
            break;
    }
    *filled = done;
    return done == size ? 0 : (int)error;
}

static int copy_in(uintptr_t destination, uintptr_t source, size_t size, size_t *filled)
{
    return copy_with(0, destination, source, size, filled);
}

/*
 * Copy a page that cannot be read here: it is missing (-ENOENT), or the program has forbidden all
 * access to it. As a debugger would, for the protection does not change meanwhile. Without /proc a
 * page that is there must stay where it is (-EBUSY).
 */
static __attribute__((noinline)) int copy_unreadable(uintptr_t destination, uintptr_t source)
{
    char content[PAGE_SIZE];
    size_t filled;
    long memory = sys_call(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDONLY | O_CLOEXEC);
    long got;

    if (memory < 0)
        return mask_present((void *)source) ? -EBUSY : -ENOENT;
    got = sys_call(SYS_pread64, memory, content, PAGE_SIZE, source);
    sys_call(SYS_close, memory);
    if (got != (long)PAGE_SIZE)
        return mask_present((void *)source) ? -EBUSY : -ENOENT;
    return copy_in(destination, (uintptr_t)content, PAGE_SIZE, &filled);
}

/* Move one page by protecting, copying and dropping it. -ENOENT: it is missing. */
static int move_by_copy(uintptr_t destination, uintptr_t source)
{
    size_t filled;
    int error = write_protect(source, PAGE_SIZE, true);

    if (error)
        return error;
    error = copy_in(destination, source, PAGE_SIZE, &filled);
    if (error == -EFAULT)
        error = copy_unreadable(destination, source);
    if (error) {
        int undone = write_protect(source, PAGE_SIZE, false);
        return undone ? undone : error;
    }
    mask_drop((void *)source, PAGE_SIZE);
    return 0;
}

/* How many pages from the beginning are present at destination and missing at source. */
static size_t count_moved(uintptr_t destination, uintptr_t source, size_t pages)
{
    unsigned char there[MOVED_PAGES], here[MOVED_PAGES];
    size_t count = 0;

    pages = min_u64(pages, MOVED_PAGES);
    if (sys_call(SYS_mincore, destination, pages * PAGE_SIZE, there) ||
        sys_call(SYS_mincore, source, pages * PAGE_SIZE, here))
        return 0;
    while (count < pages && (there[count] & 1) && !(here[count] & 1))
        count++;
    return count;
}

/*
 * One UFFDIO_MOVE: *moved is what it did, also when it fails.
 *
 * Linux 6.18 tries a run again that it has moved, when an attempt before that met a page that was
 * about to change, and then says -EEXIST: what is no longer at the source was moved. Whoever calls
 * owns both ranges, so nobody else can have put it there.
 */
static int move_once(uintptr_t destination, uintptr_t source, size_t size, size_t *moved)
{
    struct uffdio_move call = {destination, source, size, 0, 0};
    int error = mask.can_move ? (int)sys_call(SYS_ioctl, mask.fd, UFFDIO_MOVE, &call) : -EBUSY;

    *moved = call.move > 0 ? (size_t)call.move : 0;
    if (unlikely(error == -EEXIST))
        *moved = count_moved(destination, source, size / PAGE_SIZE) * PAGE_SIZE;
    return *moved ? 0 : error;
}

/*
 * The kernel does not let go of a page that is shared after a fork, or that is pinned for direct
 * IO. Writing to it ends the sharing; a page that is still busy then is not to be taken from the
 * program: a device may be writing to it. Where there is no UFFDIO_MOVE this cannot be told.
 */
static int move_shared_page(uintptr_t destination, uintptr_t source)
{
    size_t moved;

    if (!mask.can_move || sys_call(SYS_madvise, source, PAGE_SIZE, MADV_POPULATE_WRITE))
        return move_by_copy(destination, source);
    return move_once(destination, source, PAGE_SIZE, &moved);
}

/* What UFFDIO_MOVE refused for a run is done for its first page in another way. */
static int move_page(uintptr_t destination, uintptr_t source, int refusal, enum mask_source kind)
{
    int error = refusal;

    if (error == -EBUSY && kind == MASK_PROGRAM)
        error = move_shared_page(destination, source);
    else if (error == -EBUSY || error == -EINVAL) /* -EINVAL: another protection, or two mappings */
        error = move_by_copy(destination, source);
    if (error == -ENOENT)
        error = mask_fill_zero((void *)destination, PAGE_SIZE);
    return error;
}

int mask_move(void *destination, const struct mask_span *source, size_t *moved)
{
    uintptr_t to = (uintptr_t)destination, from = (uintptr_t)source->address;
    size_t done = 0;
    int error = 0;

    for (int retries = 0; done < source->size && retries < RETRIES; retries++) {
        size_t step;
        error = move_once(to + done, from + done, source->size - done, &step);
        if (error && error != -EAGAIN) {
            error = move_page(to + done, from + done, error, source->kind);
            step = error ? 0 : PAGE_SIZE;
        }
        done += step;
        if (step)
            retries = 0;
        if (error && error != -EAGAIN)
            break;
    }
    *moved = done;
    return done == source->size ? 0 : error;
}

int mask_copy(void *destination, const void *source, size_t size, bool protected)
{
    uint64_t mode = protected ? UFFDIO_COPY_MODE_WP : 0;
    size_t filled;
    int error = copy_with(mode, (uintptr_t)destination, (uintptr_t)source, size, &filled);

    if (error && filled)
        mask_drop(destination, filled);
    return error;
}

int mask_unprotect(void *address, size_t size)
{
    return write_protect((uintptr_t)address, size, false);
}

int mask_fill_zero(void *address, size_t size)
{
    uintptr_t to = (uintptr_t)address;

    for (size_t done = 0; done < size;) {
        size_t filled;
        int error =
            copy_in(to + done, (uintptr_t)zeros, min_u64(size - done, sizeof(zeros)), &filled);
        done += filled;
        if (error)
            return error;
    }
    return 0;
}

void mask_forbid(void *address, size_t size)
{
    sys_call(SYS_mprotect, address, size, PROT_NONE);
}

void mask_permit(void *address, size_t size)
{
    sys_call(SYS_mprotect, address, size, PROT_READ | PROT_WRITE);
}
