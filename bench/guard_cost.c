/* SPDX-License-Identifier: MIT */
/*
 * What the guard costs a program whose memory is resident: nanoseconds per system call, the least
 * of several rounds. Run it plainly and under `uswap run`.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 300 /* short ones: on a busy machine some are not interrupted */
#define CALLS  1000

static int fd;
static char on_stack[64];
static char *on_heap;
static char *path;

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static long by_instruction(long number, long a, long b, long c)
{
    long result;

#if defined(__x86_64__)
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
#else
    result = syscall(number, a, b, c);
#endif
    return result;
}

static void no_pointer(void)
{
    by_instruction(SYS_getppid, 0, 0, 0);
}

static void read_static(void)
{
    if (read(fd, on_stack, 1) != 1)
        abort();
}

static void read_heap(void)
{
    if (read(fd, on_heap, 1) != 1)
        abort();
}

static void read_static_by_instruction(void)
{
    by_instruction(SYS_read, fd, (long)on_stack, 1);
}

static void read_heap_by_instruction(void)
{
    by_instruction(SYS_read, fd, (long)on_heap, 1);
}

static void read_heap_page(void)
{
    if (read(fd, on_heap, 65536) != 65536)
        abort();
}

static void readv_static(void)
{
    struct iovec vector = {on_stack, 1};

    if (readv(fd, &vector, 1) != 1)
        abort();
}

static void readv_static_by_instruction(void)
{
    struct iovec vector = {on_stack, 1};

    by_instruction(SYS_readv, fd, (long)&vector, 1);
}

static void getppid_by_name(void)
{
    getppid();
}

static void stat_heap(void)
{
    struct stat result;

    if (stat(path, &result))
        abort();
}

static void measure(const char *name, void (*call)(void))
{
    uint64_t least = UINT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = now();
        for (int i = 0; i < CALLS; i++)
            call();
        uint64_t took = now() - start;
        least = took < least ? took : least;
    }
    printf("%-34s %8.1f ns\n", name, (double)least / CALLS);
}

int main(void)
{
    fd = open("/dev/zero", O_RDONLY);
    on_heap = malloc(65536);
    path = malloc(2);
    if (!on_heap || !path || fd < 0)
        return 1;
    path[0] = '/';
    path[1] = 0;
    measure("getppid", getppid_by_name);
    measure("getppid, instruction", no_pointer);
    measure("read 1 byte, static", read_static);
    measure("read 1 byte, static, instruction", read_static_by_instruction);
    measure("readv 1 byte, static", readv_static);
    measure("read 1 byte, heap", read_heap);
    measure("read 64 KiB, heap", read_heap_page);
    measure("stat, path on the heap", stat_heap);
    measure("readv 1 byte, static, instruction", readv_static_by_instruction);
    measure("read 1 byte, heap, instruction", read_heap_by_instruction);
    return 0;
}
