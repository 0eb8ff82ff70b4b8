/* SPDX-License-Identifier: MIT */
/*
 * Pages are dropped one at a time, or many by one call.
 *
 * One call for pages here and there empties the whole TLB, and what the program does next pays for
 * that; a call for one page flushes that page. But each flush interrupts the CPUs that run other
 * threads of the program, which takes many times as long as the rest. So calls for one page are
 * timed, and not advised while they take long; that is forgotten by and by.
 */
#include "base/clock.h"
#include "base/mean.h"
#include "base/sys.h"
#include "mask/mask.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* Newer than Debian 12's headers. */
#ifndef PIDFD_SELF
#define PIDFD_SELF (-10001) /* the thread group */
#endif

/* What dropping one page may take: 5 us on a quiet machine, 40 where it interrupts another CPU. */
#define SINGLE_MAX_NS 25000

/* A page that takes longer was not slow because of us. */
#define SINGLE_WORST_NS (4 * SINGLE_MAX_NS)

/* The mean follows the last so many pages, and is forgotten within some times as many calls. */
#define SINGLE_WEIGHT 8
#define FORGET_WEIGHT 32

static _Atomic uint32_t single_ns; /* what a page took lately; a hint */

/* The kernel drops nothing that is locked: whoever locked it behind our back loses that. */
void mask_drop(void *address, size_t size)
{
    if (sys_call(SYS_madvise, address, size, MADV_DONTNEED) == -EINVAL) {
        sys_call(SYS_munlock, address, size);
        sys_call(SYS_madvise, address, size, MADV_DONTNEED);
    }
}

bool mask_flush_is_cheap(void)
{
    return mean_value(&single_ns) <= SINGLE_MAX_NS;
}

static void drop_singly(const struct iovec *ranges, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t start = clock_now_ns();
        mask_drop(ranges[i].iov_base, ranges[i].iov_len);
        if (ranges[i].iov_len == PAGE_SIZE)
            mean_follow(&single_ns, min_u64(clock_now_ns() - start, SINGLE_WORST_NS),
                        SINGLE_WEIGHT);
    }
}

/* Kernels before 6.15 do not know PIDFD_SELF, or drop nothing by this call. */
static bool drop_together(const struct iovec *ranges, unsigned count)
{
    size_t size = 0;

    for (unsigned i = 0; i < count; i++)
        size += ranges[i].iov_len;
    mean_follow(&single_ns, 0, FORGET_WEIGHT);
    return sys_call(SYS_process_madvise, PIDFD_SELF, ranges, count, MADV_DONTNEED, 0) == (long)size;
}

void mask_drop_ranges(const struct iovec *ranges, unsigned count)
{
    if (count == 1 || !drop_together(ranges, count))
        drop_singly(ranges, count);
}
