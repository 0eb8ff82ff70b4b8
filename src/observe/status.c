/* SPDX-License-Identifier: MIT */
#include "observe/status.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* Newer than the headers may be. */
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* What a thread touches of its shard: the counters, and two pages of each histogram. */
#define SHARD_TOUCHED ((1 + 2 * HISTOGRAM_COUNT) * PAGE_SIZE)

/* Of what is not in a shard, and of the control page. */
#define OTHERS_TOUCHED (2 * PAGE_SIZE)

#define SECOND_US UINT64_C(1000000)

_Static_assert(sizeof(struct status) % PAGE_SIZE == 0, "nothing else lies in its pages");

struct status status_page;
__thread unsigned status_shard_number;

static int status_fd = -1;

/* ---- The file ---- */

/* Growing a file beyond the limit of file sizes would be a SIGXFSZ. */
static bool may_grow_to(size_t size)
{
    struct rlimit limit = {0, 0};

    return sys_call(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 && limit.rlim_cur >= size;
}

static long make_file(const char *name, size_t size)
{
    long fd = may_grow_to(size) ? fd_memory_file(name, MFD_ALLOW_SEALING) : -EFBIG;
    long error = 0;

    if (fd >= 0)
        error = sys_call(SYS_fchmod, fd, 0600);

    if (fd >= 0 && !error)
        error = sys_call(SYS_ftruncate, fd, size);
    if (error) {
        sys_call(SYS_close, fd);
        fd = error;
    }
    return fd;
}

static long map_over(void *address, size_t size, int flags, long fd)
{
    long result =
        sys_call(SYS_mmap, address, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);

    return result < 0 && result > -4096 ? result : 0;
}

/* A number for the file: that of the parent's, or a high one. */
static void keep_file(long made, int *fd)
{
    if (*fd < 0) {
        *fd = fd_move_high((int)made);
        return;
    }
    sys_call(SYS_dup3, made, *fd, O_CLOEXEC);
    sys_call(SYS_close, made);
}

static void go_without(void *address, size_t size, int *fd)
{
    /* In a child: not the parent's memory any more, and not its file. */
    if (*fd >= 0)
        map_over(address, size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    fd_close(*fd);
    *fd = -1;
}

int status_map(const char *name, void *address, size_t size, bool others_write, int *fd)
{
    long made = make_file(name, size);
    long error = made < 0 ? made : map_over(address, size, MAP_SHARED, made);

    if (error) {
        if (made >= 0)
            sys_call(SYS_close, made);
        go_without(address, size, fd);
        return (int)error;
    }
    /* Without the last seal (before Linux 5.1) the mode still keeps strangers out. */
    sys_call(SYS_fcntl, made, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
    if (!others_write)
        sys_call(SYS_fcntl, made, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
    sys_call(SYS_madvise, address, size, MADV_NOHUGEPAGE);
    keep_file(made, fd);
    return 0;
}

/* ---- Beginning ---- */

/* The gauges that a new page begins with. */
static struct status_gauges kept;

static void keep_gauges(void)
{
    memcpy(&kept, &status_page.gauges, sizeof(kept));
}

/* A new page. What is counted before there is a page is little, and by one thread. */
static void begin(void)
{
    if (status_map(STATUS_NAME, &status_page, sizeof(status_page), false, &status_fd))
        meta_trim(&status_page, sizeof(status_page));
    memcpy(&status_page.gauges, &kept, sizeof(kept));
    status_page.version = STATUS_VERSION;
    status_page.size = sizeof(status_page);
    status_page.pid = sys_call(SYS_getpid);
    status_page.started_ns = clock_now_ns();
    __atomic_store_n(&status_page.magic, STATUS_MAGIC, __ATOMIC_RELEASE);
}

/* May be called again after a start that failed. */
void status_start(void)
{
    if (!status_page.magic)
        meta_charge(OTHERS_TOUCHED);
    meta_count_at(&status_page.gauges.metadata);
    keep_gauges();
    begin();
}

void status_set_pool(uint64_t id, const char *name)
{
    fmt_write(status_page.gauges.pool_name, STATUS_POOL_NAME, "%s", name);
    atomic_store(&status_page.gauges.pool, id);
}

void status_fork_prepare(void)
{
    keep_gauges();
}

void status_fork_child(void)
{
    begin();
}

unsigned status_take_shard(void)
{
    int64_t before = atomic_fetch_add(&status_page.gauges.threads, 1);

    if (before < STATUS_SHARDS)
        meta_charge(SHARD_TOUCHED);
    status_shard_number = (unsigned)(before % STATUS_SHARDS) + 1;
    return status_shard_number;
}

/* ---- Reading ---- */

uint64_t status_sum(const struct status *page, enum stats_counter counter)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < STATUS_SHARDS; i++)
        sum += atomic_load_explicit(&page->shards[i].counters[counter], memory_order_relaxed);
    return sum;
}

void status_merge(const struct status *page, enum status_histogram which, struct histogram *into)
{
    for (unsigned i = 0; i < STATUS_SHARDS; i++)
        histogram_merge(into, &page->shards[i].histograms[which]);
}

bool status_second_due(uint64_t now)
{
    uint64_t last = atomic_load_explicit(&status_page.second.at, memory_order_relaxed);

    return status_second_over(now) &&
           atomic_compare_exchange_strong(&status_page.second.at, &last, now);
}

/* The second before began when the last rates were taken, or at the start. */
void status_take_rates(uint64_t now)
{
    static uint64_t last;
    struct status_second *second = &status_page.second;
    uint64_t begun = max_u64(last, status_page.started_ns);
    uint64_t elapsed_us = max_u64((now - begun) / 1000, 1);

    for (unsigned i = 0; i < STAT_COUNT; i++) {
        uint64_t sum = status_sum(&status_page, i);
        uint64_t rate = (sum - second->before[i]) * SECOND_US / elapsed_us;

        atomic_store_explicit(&second->rates[i], rate, memory_order_relaxed);
        second->before[i] = sum;
    }
    last = now;
}
