/* SPDX-License-Identifier: MIT */
/*
 * A file must be zero at its start and end and wherever else it is looked at. A device must be zero
 * at its start and end; at its start our own mark is allowed, as we leave both ends alone
 * otherwise, and that of mkswap, if there is no sign of something that was made over it later.
 */
#include "store/claim.h"

#include "base/sys.h"

#include <errno.h>
#include <string.h>

/* Single pages that are looked at between the ends of a file. */
#define SAMPLES 256

static const char own_mark[] = "USWAP swap space, no data: may be used again\n";

/* A few bytes at a place of a device. */
struct mark {
    uint64_t offset;
    const char *bytes;
    size_t length;
};

static const struct mark mkswap_mark = {PAGE_SIZE - 10, "SWAPSPACE2", 10};

/* What leaves the first page as it is. */
static const struct mark later_marks[] = {
    {PAGE_SIZE, "\xfc\x4e\x2b\xa9", 4}, /* md */
    {64 * KIB + 64, "_BHRfS_M", 8},     /* btrfs */
};

/* Where mkswap leaves space for others to put something. */
#define MKSWAP_HOLE 1024

/* O_DIRECT needs it aligned. */
static char page[PAGE_SIZE] __attribute__((aligned(4096)));

/* What lies behind the end of the file reads as zero. */
static int read_page(int fd, uint64_t offset)
{
    long done;

    memset(page, 0, PAGE_SIZE);
    done = sys_call(SYS_pread64, fd, page, PAGE_SIZE, offset);
    return done < 0 ? (int)done : 0;
}

static bool bytes_are_zero(size_t count)
{
    return page[0] == 0 && memcmp(page, page + 1, count - 1) == 0;
}

/* Whether a page every step bytes, from offset to end, is zero. */
static bool is_zero(int fd, uint64_t offset, uint64_t end, uint64_t step)
{
    for (; offset < end; offset += step)
        if (read_page(fd, offset) < 0 || !bytes_are_zero(PAGE_SIZE))
            return false;
    return true;
}

static bool end_is_zero(int fd, uint64_t size)
{
    return is_zero(fd, align_down(size - min_u64(size, CLAIM_EDGE), PAGE_SIZE), size, PAGE_SIZE);
}

bool claim_file(int fd, uint64_t size)
{
    uint64_t step = align_up(size / SAMPLES + 1, PAGE_SIZE);

    return is_zero(fd, 0, min_u64(size, CLAIM_EDGE), PAGE_SIZE) && end_is_zero(fd, size) &&
           is_zero(fd, 0, size, step);
}

static bool has_mark(int fd, const struct mark *mark)
{
    return read_page(fd, align_down(mark->offset, PAGE_SIZE)) == 0 &&
           memcmp(page + mark->offset % PAGE_SIZE, mark->bytes, mark->length) == 0;
}

static bool is_swap_space(int fd)
{
    if (!has_mark(fd, &mkswap_mark) || !bytes_are_zero(MKSWAP_HOLE))
        return false;
    for (size_t i = 0; i < array_size(later_marks); i++)
        if (has_mark(fd, &later_marks[i]))
            return false;
    return true;
}

static bool is_ours(int fd)
{
    const struct mark mark = {0, own_mark, sizeof(own_mark)};

    return has_mark(fd, &mark) && is_zero(fd, PAGE_SIZE, CLAIM_EDGE, PAGE_SIZE);
}

bool claim_device(int fd, uint64_t size)
{
    if (is_swap_space(fd))
        return true;
    return end_is_zero(fd, size) && (is_ours(fd) || is_zero(fd, 0, CLAIM_EDGE, PAGE_SIZE));
}

int claim_mark(int fd)
{
    long done;

    memset(page, 0, PAGE_SIZE);
    memcpy(page, own_mark, sizeof(own_mark));
    done = sys_call(SYS_pwrite64, fd, page, PAGE_SIZE, 0);
    if (done == (long)PAGE_SIZE)
        return read_page(fd, 0);
    return done < 0 ? (int)done : -EIO;
}
