/* SPDX-License-Identifier: MIT */
/*
 * The floor of a miss on this machine: what a random access costs if nothing is done but what the
 * kernel has to do for it. A signal for the missing page, one read of 4 KiB, one UFFDIO_COPY, and
 * during the read a call that drops one of the pages that came first; or, once in so many misses, a
 * call that drops so many, those together that share a page table. No object, no budget, no
 * checksum: what uswap needs beyond this is its own cost, and what kernel swap needs less is the
 * cost of a signal.
 *
 *     profile_miss [DIRECTORY] [SECONDS] [PAGES-A-CALL, up to 64]
 *
 * 1 GiB of which 256 MiB are resident, as in uswap bench --size 1G; the file in DIRECTORY
 * (/var/tmp) is unlinked.
 */
#include "base/base.h"
#include "base/clock.h"
#include "base/sys.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGES      (UINT64_C(1) << 18)
#define RESIDENT   (UINT64_C(1) << 16)
#define DROPS_MAX  64
#define TABLE      512            /* pages of a page table */
#define OLD        (RESIDENT / 8) /* which may leave before those that came before them */
#define PIDFD_SELF (-10000)
#define PART       (UINT64_C(1) << 20)

static char *set, *buffer;
static int file = -1, uffd = -1;
static aio_context_t aio;
static unsigned drops = 1;                 /* pages a call */
static volatile uint64_t arrived, dropped; /* pages, ever; arrived counts misses */
static uint64_t oldest;                    /* no page that came before this one is resident */
static uint64_t order[2 * RESIDENT];       /* in which they arrived */
static uint64_t since[PAGES];              /* when each arrived, + 1; 0: it is not resident */

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static char *map_pages(uint64_t size, int flags)
{
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    must(at != MAP_FAILED, "profile_miss: mmap");
    return at;
}

/* One in the page table of the one before it that is old, too, or the oldest. */
static uint64_t next_to_drop(void)
{
    static uint64_t page; /* the one before it */
    uint64_t end = page / TABLE * TABLE + TABLE;

    while (++page < end && (!since[page] || since[page] - oldest > OLD))
        ;
    if (page >= end) {
        while (since[order[oldest % (2 * RESIDENT)]] != oldest + 1)
            oldest++;
        page = order[oldest % (2 * RESIDENT)] / TABLE * TABLE;
        while (!since[page] || since[page] - oldest > OLD)
            page++;
    }
    since[page] = 0;
    return page;
}

static void drop_oldest(void)
{
    struct iovec pages[DROPS_MAX];

    for (unsigned i = 0; i < drops; i++)
        pages[i] = (struct iovec){set + next_to_drop() * PAGE_SIZE, PAGE_SIZE};
    if (sys_call(SYS_process_madvise, PIDFD_SELF, (long)(uintptr_t)pages, drops, MADV_DONTNEED, 0) <
        0)
        _exit(3);
    dropped += drops;
}

static bool begin_read(uint64_t page)
{
    struct iocb read = {.aio_lio_opcode = IOCB_CMD_PREAD,
                        .aio_fildes = (uint32_t)file,
                        .aio_buf = (uintptr_t)buffer,
                        .aio_nbytes = PAGE_SIZE,
                        .aio_offset = (int64_t)(page * PAGE_SIZE)};
    struct iocb *reads = &read;

    return sys_call(SYS_io_submit, aio, 1, &reads) == 1;
}

static bool end_read(void)
{
    struct io_event event;

    return sys_call(SYS_io_getevents, aio, 1, 1, &event, NULL) == 1 && event.res == PAGE_SIZE;
}

static void on_missing(int signo, siginfo_t *info, void *context)
{
    uint64_t page = (uint64_t)((char *)info->si_addr - set) / PAGE_SIZE;
    struct uffdio_copy copy = {
        .dst = (uintptr_t)set + page * PAGE_SIZE, .src = (uintptr_t)buffer, .len = PAGE_SIZE};

    if (!begin_read(page))
        _exit(3);
    if (arrived - dropped >= RESIDENT)
        drop_oldest();
    if (!end_read() || ioctl(uffd, UFFDIO_COPY, &copy))
        _exit(3);
    order[arrived % (2 * RESIDENT)] = page;
    arrived++;
    since[page] = arrived;
}

static void prepare_file(const char *directory)
{
    char path[4096];

    buffer = map_pages(PART, MAP_POPULATE);
    for (uint64_t i = 0; i < PART / sizeof(int); i++)
        ((int *)(void *)buffer)[i] = (int)mrand48();
    snprintf(path, sizeof(path), "%s/profile_miss.XXXXXX", directory);
    file = mkostemp(path, O_DIRECT | O_CLOEXEC);
    must(file >= 0, path);
    unlink(path);
    for (uint64_t i = 0; i < PAGES * PAGE_SIZE / PART; i++)
        must(write(file, buffer, PART) == (ssize_t)PART, path);
    must(fsync(file) == 0, path);
}

static void prepare_set(void)
{
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
    struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
    struct sigaction action = {.sa_sigaction = on_missing, .sa_flags = SA_SIGINFO};

    set = map_pages(PAGES * PAGE_SIZE, MAP_NORESERVE);
    madvise(set, PAGES * PAGE_SIZE, MADV_NOHUGEPAGE);
    uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    must(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0, "profile_miss: userfaultfd");
    range.range = (struct uffdio_range){(uintptr_t)set, PAGES * PAGE_SIZE};
    must(ioctl(uffd, UFFDIO_REGISTER, &range) == 0, "profile_miss: UFFDIO_REGISTER");
    sigaction(SIGBUS, &action, NULL);
}

/* Touch a random page: each word of it that lies in a cache line of its own. */
static void access_page(void)
{
    volatile char *page = set + (uint64_t)mrand48() % PAGES * PAGE_SIZE;

    for (unsigned i = 0; i < PAGE_SIZE; i += 64)
        (void)page[i];
}

int main(int argc, char **argv)
{
    uint64_t duration = (uint64_t)((argc > 2 ? atof(argv[2]) : 5) * 1e9);

    if (argc > 3)
        drops = (unsigned)atoi(argv[3]);
    if (drops < 1 || drops > DROPS_MAX) {
        fprintf(stderr, "profile_miss: PAGES-A-CALL is %s: 1 to %d\n", argv[3], DROPS_MAX);
        return 2;
    }
    must(syscall(SYS_io_setup, 1, &aio) == 0, "profile_miss: io_setup");
    prepare_file(argc > 1 ? argv[1] : "/var/tmp");
    prepare_set();
    while (arrived < RESIDENT)
        access_page();

    uint64_t start = clock_now_ns(), before = arrived, count = 0, now;
    do {
        access_page();
        count++;
        now = clock_now_ns();
    } while (now - start < duration);

    double us = (double)(now - start) / 1e3;
    printf("random read, at least: %.1f us an access, %.1f us a miss, %.1f %% missed\n",
           us / (double)count, us / (double)(arrived - before),
           100.0 * (double)(arrived - before) / (double)count);
    return 0;
}
