/* SPDX-License-Identifier: MIT */
/* Faults that are not ours go to whoever would have had them; ours work wherever they happen. */
#include "engine_test.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#define RAM   (16 * MIB)
#define STORE (128 * MIB)
#define SET   (48 * MIB)

/* Where no memory is, in the window or outside of it. */
static char *wild_address(bool inside)
{
    char *memory = engine_map(MIB, 4 * KIB);

    expect(uswap_unmap(memory + MIB / 2, PAGE_SIZE) == 0);
    return inside ? memory + MIB / 2 : (char *)(16 * PAGE_SIZE);
}

/* A page behind the end of its file. */
static char *truncated_page(void)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/truncated", engine_directory());
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    expect(fd >= 0 && unlink(path) == 0 && ftruncate(fd, (off_t)PAGE_SIZE) == 0);
    char *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    expect(page != MAP_FAILED && ftruncate(fd, 0) == 0);
    close(fd);
    return page;
}

static void die_of_wild_access(uint64_t inside)
{
    engine_start(RAM, STORE);
    volatile char *wild = wild_address(inside);
    engine_reached();
    (void)*wild;
    expect(false, "it was read");
}

static void die_of_truncated_file(uint64_t unused)
{
    engine_start(RAM, STORE);
    volatile char *page = truncated_page();
    engine_reached();
    (void)*page;
    expect(false, "it was read");
}

static void die_of_sent_signal(uint64_t signo)
{
    engine_start(RAM, STORE);
    engine_reached();
    raise((int)signo);
    expect(false, "it went on");
}

static void earlier_handlers_get_what_is_not_ours(uint64_t unused)
{
    engine_catch_faults();
    engine_start(RAM, STORE);
    char *inside = wild_address(true);
    char *outside = wild_address(false);
    char *page = truncated_page();
    char *set = engine_map(SET, 4 * KIB);
    for (unsigned round = 0; round < 3; round++) {
        expect(engine_probe(inside) == SIGSEGV);
        expect(engine_probe(outside) == SIGSEGV);
        expect(engine_probe(page) == SIGBUS);
        engine_fill(set, SET, round + 1);
        engine_verify(set, SET, round + 1);
    }
}

static sigjmp_buf plain_return;

static void plain_handler(int signo)
{
    siglongjmp(plain_return, signo);
}

/* Handlers without SA_SIGINFO, by signal(). */
static void earlier_plain_handlers_work(uint64_t unused)
{
    expect(signal(SIGSEGV, plain_handler) != SIG_ERR && signal(SIGBUS, plain_handler) != SIG_ERR);
    engine_start(RAM, STORE);
    volatile char *wild = wild_address(true);
    volatile char *page = truncated_page();
    for (unsigned round = 0; round < 3; round++) {
        int signo = sigsetjmp(plain_return, 1);
        if (signo == 0)
            (void)*wild;
        expect(signo == SIGSEGV);
        signo = sigsetjmp(plain_return, 1);
        if (signo == 0)
            (void)*page;
        expect(signo == SIGBUS);
    }
}

/* A fault that is not ours, with the signal ignored before the start, still ends the program. */
static void ignoring_does_not_hide_a_fault(uint64_t unused)
{
    expect(signal(SIGSEGV, SIG_IGN) != SIG_ERR);
    die_of_wild_access(true);
}

static struct {
    char *set;
    _Atomic unsigned count;
    uint64_t random;
} timer;

static void timer_handler(int signo)
{
    uint64_t page = engine_below(&timer.random, SET / PAGE_SIZE);

    engine_verify(timer.set + page * PAGE_SIZE, PAGE_SIZE, page + 1);
    timer.count++;
}

/* Handlers touch memory that is away, while the same thread is in the middle of faults of its own.
 */
static void handlers_may_touch_regions(uint64_t unused)
{
    struct sigaction action = {.sa_handler = timer_handler, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 1000}, {0, 1000}};
    uint64_t random = engine_seed();

    engine_start(RAM, STORE);
    struct uswap_stats before = engine_stats();
    timer.set = engine_map(SET, 4 * KIB);
    timer.random = engine_seed() + 1;
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        engine_fill(timer.set + page * PAGE_SIZE, PAGE_SIZE, page + 1);
    expect(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
    for (unsigned step = 0; timer.count < 500; step++) {
        uint64_t page = engine_below(&random, SET / PAGE_SIZE);
        engine_verify(timer.set + page * PAGE_SIZE, PAGE_SIZE, page + 1);
        if (step % 1000 == 0) /* the API is used while handlers fault */
            expect(uswap_unmap(engine_map(MIB, 4 * KIB), MIB) == 0);
    }
    every = (struct itimerval){0};
    expect(setitimer(ITIMER_REAL, &every, NULL) == 0);
    engine_expect_swapping(&before);
}

/* Handlers fault while the same thread has the stores grow and shrink: they take the same locks. */
static void handlers_may_fault_while_stores_grow(uint64_t unused)
{
    struct sigaction action = {.sa_handler = timer_handler, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 300}, {0, 300}};

    engine_start(RAM, 8 * GIB);
    timer.set = engine_map(SET, 4 * KIB);
    timer.random = engine_seed() + 1;
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        engine_fill(timer.set + page * PAGE_SIZE, PAGE_SIZE, page + 1);
    expect(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
    for (unsigned step = 0; timer.count < 3000; step++) {
        size_t size = (step % 8 + 1) * 256 * MIB;
        expect(uswap_unmap(engine_map(size, 4 * KIB), size) == 0);
    }
    every = (struct itimerval){0};
    expect(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void wild_thread(void *argument, unsigned thread)
{
    char *set = argument;
    char *wild = set + SET + (thread % 2) * PAGE_SIZE;
    uint64_t random = engine_seed() + thread;

    for (unsigned step = 0; step < 500; step++) {
        uint64_t page = engine_below(&random, SET / PAGE_SIZE);
        engine_verify(set + page * PAGE_SIZE, PAGE_SIZE, page + 1);
        expect(engine_probe(wild) == SIGSEGV);
    }
}

/* Wild and swapped accesses of many threads do not get in each other's way. */
static void wild_accesses_among_faults(uint64_t unused)
{
    engine_catch_faults();
    engine_start(RAM, STORE);
    char *set = engine_map(SET + MIB, 4 * KIB);
    for (uint64_t page = 0; page < SET / PAGE_SIZE; page++)
        engine_fill(set + page * PAGE_SIZE, PAGE_SIZE, page + 1);
    expect(uswap_unmap(set + SET, MIB) == 0);
    engine_threads(4, wild_thread, set);
}

static const struct engine_case cases[] = {
    {.name = "die_of_wild_access_inside",
     .run = die_of_wild_access,
     .parameter = true,
     .signal = SIGSEGV},
    {.name = "die_of_wild_access_outside",
     .run = die_of_wild_access,
     .parameter = false,
     .signal = SIGSEGV},
    {.name = "die_of_truncated_file", .run = die_of_truncated_file, .signal = SIGBUS},
    {.name = "die_of_sent_sigbus",
     .run = die_of_sent_signal,
     .parameter = SIGBUS,
     .signal = SIGBUS},
    {.name = "die_of_sent_sigsegv",
     .run = die_of_sent_signal,
     .parameter = SIGSEGV,
     .signal = SIGSEGV},
    {.name = "earlier_handlers_get_what_is_not_ours", .run = earlier_handlers_get_what_is_not_ours},
    {.name = "earlier_plain_handlers_work", .run = earlier_plain_handlers_work},
    {.name = "ignoring_does_not_hide_a_fault",
     .run = ignoring_does_not_hide_a_fault,
     .signal = SIGSEGV},
    {.name = "handlers_may_touch_regions", .run = handlers_may_touch_regions},
    {.name = "handlers_may_fault_while_stores_grow", .run = handlers_may_fault_while_stores_grow},
    {.name = "wild_accesses_among_faults", .run = wild_accesses_among_faults},
};

int main(int argc, char **argv)
{
    return engine_test_main(argc, argv, cases, array_size(cases));
}
