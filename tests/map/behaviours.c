/* SPDX-License-Identifier: MIT */
/*
 * What the calls on mappings do and give, on memory that is several times the budget of the run
 * under uswap. Run once plainly and once under uswap, this prints the same lines. Each case runs
 * with the calls made by name and by inline assembly, some by syscall(), too.
 */
#include "by_instruction.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE ((size_t)4096)
#define MIB  ((size_t)1 << 20)
#define SIZE (12 * MIB)
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static enum { BY_NAME, BY_SYSCALL, BY_INSTRUCTION, WAYS } way;
static const char *case_name;

static void say(const char *what, long value)
{
    static const char *const names[] = {"name", "syscall", "instruction"};

    printf("%s by %s: %s %ld\n", case_name, names[way], what, value);
    fflush(stdout);
}

/* What a call gives: its result, or -errno. */
static void say_result(const char *what, long result)
{
    say(what, result == -1 ? -errno : result);
}

/* ---- The calls ---- */

static long call(long number, const long a[6])
{
    if (way == BY_SYSCALL)
        return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return call_by_instruction(number, a);
}

#define CALL(name, ...)                                                                            \
    (way == BY_NAME ? (long)name(__VA_ARGS__) : call(SYS_##name, (const long[6]){__VA_ARGS__}))
#define UNMAP(address, size)          CALL(munmap, (void *)(address), size)
#define PROTECT(address, size, to)    CALL(mprotect, (void *)(address), size, to)
#define ADVISE(address, size, advice) CALL(madvise, (void *)(address), size, advice)
#define REMAP(address, from, to, how) (char *)CALL(mremap, (void *)(address), from, to, how)
#define REMAP_TO(address, from, to, how, wish)                                                     \
    (char *)CALL(mremap, (void *)(address), from, to, how, (void *)(wish))
#pragma GCC diagnostic ignored "-Wint-conversion"

/* mmap() by inline assembly is the kernel's. */
static char *map(void *address, size_t size, int protection, int flags, int fd)
{
    if (way == BY_SYSCALL)
        return (char *)syscall(SYS_mmap, address, size, protection, flags, fd, 0L);
    return mmap(address, size, protection, flags, fd, 0);
}

static char *must_map(size_t size, int protection, int flags)
{
    char *memory = map(NULL, size, protection, flags, -1);

    if (memory == MAP_FAILED) {
        fprintf(stderr, "%s: no memory\n", case_name);
        exit(1);
    }
    return memory;
}

/* ---- Content ---- */

static uint64_t pattern(size_t offset)
{
    return (offset + 1) * 0x9e3779b97f4a7c15;
}

static void fill(char *memory, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += PAGE)
        *(uint64_t *)(void *)(memory + at + at / PAGE % 512 * 8) = pattern(at);
}

/* Pages that hold what fill() wrote, and such that are zero. */
static void count(const char *what, const char *memory, size_t from, size_t to, size_t moved)
{
    static const char zeros[PAGE];
    long filled = 0, zero = 0;

    for (size_t at = from; at < to; at += PAGE) {
        filled += *(const uint64_t *)(const void *)(memory + at + (at + moved) / PAGE % 512 * 8) ==
                  pattern(at + moved);
        zero += memcmp(memory + at, zeros, PAGE) == 0;
    }
    say(what, filled * 1000000 + zero);
}

static char *filled(size_t size)
{
    char *memory = must_map(size, RW, ANON);

    fill(memory, 0, size);
    return memory;
}

/* ---- Faults ---- */

static sigjmp_buf back;
static volatile int probing, got_signal, got_code;
static void *volatile got_address;

static void on_fault(int signo, siginfo_t *info, void *context)
{
    if (!probing)
        _exit(3);
    got_signal = signo;
    got_code = info->si_code;
    got_address = info->si_addr;
    siglongjmp(back, 1);
}

static void catch_faults(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* 0, or the signal, its code, and whether its address is right. */
static void probe(const char *what, char *at, bool writes)
{
    volatile long value = 0;

    probing = 1;
    got_signal = 0;
    if (sigsetjmp(back, 1) == 0) {
        if (writes)
            *(volatile char *)at = 1;
        else
            (void)*(volatile char *)at;
    } else {
        value = got_signal * 100 + got_code + (got_address == at ? 10 : 0);
    }
    probing = 0;
    say(what, value);
}

/* ---- Cases ---- */

static void fresh_memory(void)
{
    char *memory = must_map(SIZE, RW, ANON);

    count("fresh", memory, 0, SIZE, 0);
    fill(memory, 0, SIZE);
    count("filled", memory, 0, SIZE, 0);
    say_result("unmap", UNMAP(memory, SIZE));
    probe("gone", memory + MIB, false);
}

static void holes(void)
{
    char *memory = filled(SIZE);

    say_result("unmap", UNMAP(memory + 3 * MIB + PAGE, 5 * MIB));
    probe("before", memory + 3 * MIB, true);
    probe("first gone", memory + 3 * MIB + PAGE, true);
    probe("last gone", memory + 8 * MIB, false);
    count("below", memory, 0, 3 * MIB, 0);
    count("above", memory, 8 * MIB + PAGE, SIZE, 0);
    say_result("unmap nothing", UNMAP(memory + 4 * MIB, MIB));
    say("fixed", map(memory + 4 * MIB, 2 * MIB + PAGE, RW, ANON | MAP_FIXED, -1) - memory);
    probe("still gone", memory + 4 * MIB - PAGE, false);
    count("new", memory, 4 * MIB, 6 * MIB + PAGE, 0);
    fill(memory, 4 * MIB, 6 * MIB + PAGE);
    count("new filled", memory, 4 * MIB, 6 * MIB + PAGE, 0);
    count("below", memory, 0, 3 * MIB, 0);
    count("above", memory, 8 * MIB + PAGE, SIZE, 0);
    say_result("unmap all", UNMAP(memory, SIZE));
    say_result("unaligned", UNMAP(memory + 1, PAGE));
    say_result("no size", UNMAP(memory, 0));
}

static void replaced(void)
{
    char *memory = filled(SIZE);

    say("fixed", map(memory + MIB, 3 * MIB, RW, ANON | MAP_FIXED, -1) - memory);
    count("zero", memory, MIB, 4 * MIB, 0);
    count("kept", memory, 4 * MIB, SIZE, 0);
    say_result("noreplace", (long)map(memory + MIB, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1));
    say_result("unaligned", (long)map(memory + 1, MIB, RW, ANON | MAP_FIXED, -1));
    UNMAP(memory + 2 * MIB, MIB);
    say("noreplace in hole",
        map(memory + 2 * MIB, MIB, RW, ANON | MAP_FIXED_NOREPLACE, -1) - memory);
    say_result("noreplace partly",
               (long)map(memory + 2 * MIB, SIZE, RW, ANON | MAP_FIXED_NOREPLACE, -1));
    fill(memory, MIB, 4 * MIB);
    say("read only", map(memory + 3 * MIB, MIB, PROT_READ, ANON | MAP_FIXED, -1) - memory);
    probe("write", memory + 3 * MIB, true);
    count("all", memory, 0, SIZE, 0);
    UNMAP(memory, SIZE);
}

static void reservation(void)
{
    char *memory = must_map((size_t)64 << 30, PROT_NONE, ANON | MAP_NORESERVE);
    char *part = memory + ((size_t)33 << 30) + 7 * PAGE;

    probe("reserved", part, false);
    say_result("commit", PROTECT(part, SIZE, RW));
    fill(part, 0, SIZE);
    probe("behind", part + SIZE, true);
    count("filled", part, 0, SIZE, 0);
    say("commit by mmap", map(part + SIZE, MIB, RW, ANON | MAP_FIXED, -1) - part);
    fill(part, SIZE, SIZE + MIB);
    count("filled", part, 0, SIZE + MIB, 0);
    say_result("close", PROTECT(part, 4 * MIB, PROT_NONE));
    say_result("drop", ADVISE(part, 4 * MIB, MADV_DONTNEED));
    probe("closed", part, false);
    say_result("open", PROTECT(part, 4 * MIB, RW));
    count("empty", part, 0, 4 * MIB, 0);
    say("reserve", map(part, SIZE, PROT_NONE, ANON | MAP_FIXED | MAP_NORESERVE, -1) - part);
    probe("reserved", part + PAGE, true);
    count("rest", part, SIZE, SIZE + MIB, 0);
    say_result("unmap", UNMAP(memory, (size_t)64 << 30));
    probe("gone", part + SIZE, false);
}

static void protection(void)
{
    char *memory = filled(SIZE);

    say_result("read only", PROTECT(memory + MIB, SIZE - 2 * MIB, PROT_READ));
    count("read", memory, 0, SIZE, 0);
    probe("write", memory + 5 * MIB + 100, true);
    probe("write last", memory + SIZE - MIB - 1, true);
    probe("write behind", memory + SIZE - MIB, true);
    say_result("none", PROTECT(memory + 2 * MIB, 9 * MIB, PROT_NONE));
    probe("read", memory + 2 * MIB, false);
    probe("write", memory + 11 * MIB - 1, true);
    char *other = filled(SIZE);
    UNMAP(other, SIZE);
    probe("read later", memory + 3 * MIB, false);
    say_result("executable", PROTECT(memory, SIZE, PROT_READ | PROT_EXEC));
    count("read", memory, 0, SIZE, 0);
    say_result("all", PROTECT(memory, SIZE, RW | PROT_EXEC));
    fill(memory, 0, SIZE);
    count("read", memory, 0, SIZE, 0);
    say_result("writable", PROTECT(memory, SIZE, RW));
    fill(memory, 0, SIZE);
    count("read", memory, 0, SIZE, 0);
    UNMAP(memory + 6 * MIB, MIB);
    say_result("over a hole", PROTECT(memory + 5 * MIB, 3 * MIB, PROT_READ));
    probe("before", memory + 6 * MIB - 1, true);
    probe("behind", memory + 7 * MIB, true);
    say_result("unaligned", PROTECT(memory + 1, PAGE, PROT_READ));
    say_result("wrong", PROTECT(memory, PAGE, 0x70));
    say_result("no size", PROTECT(memory, 0, PROT_READ));
    UNMAP(memory, SIZE);
}

/* Several mappings side by side are one to the calls. */
static void neighbours(void)
{
    char *memory = must_map(SIZE, PROT_NONE, ANON);

    for (size_t at = 0; at < SIZE; at += 2 * MIB + 3 * PAGE)
        map(memory + at, at + 2 * MIB + 3 * PAGE <= SIZE ? 2 * MIB + 3 * PAGE : SIZE - at, RW,
            ANON | MAP_FIXED, -1);
    fill(memory, 0, SIZE);
    say_result("protect", PROTECT(memory + MIB, 9 * MIB, PROT_READ));
    count("read", memory, 0, SIZE, 0);
    probe("write", memory + 7 * MIB, true);
    PROTECT(memory, SIZE, RW);
    say_result("drop", ADVISE(memory + MIB, 9 * MIB, MADV_DONTNEED));
    count("half", memory, 0, SIZE, 0);
    fill(memory, 0, SIZE);
    char *moved = REMAP(memory, SIZE, SIZE + 4 * MIB, MREMAP_MAYMOVE);
    count("moved", moved, 0, SIZE + 4 * MIB, 0);
    say_result("unmap", UNMAP(moved + MIB, SIZE));
    probe("gone", moved + 9 * MIB, false);
    count("first", moved, 0, MIB, 0);
    UNMAP(moved, SIZE + 4 * MIB);
}

static int make_file(size_t size)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    char page[PAGE];

    for (size_t at = 0; fd >= 0 && at < size; at += PAGE) {
        memset(page, (int)(at / PAGE % 100 + 1), PAGE);
        if (pwrite(fd, page, PAGE, (off_t)at) != (ssize_t)PAGE)
            exit(1);
    }
    return fd;
}

/* A file over the last pages of a chunk of the window and over some that are not mapped. */
static void file_over_hole(int fd)
{
    char *memory = filled(SIZE);
    char *chunk = (char *)(((uintptr_t)memory + 4 * MIB - 1) / (2 * MIB) * (2 * MIB));

    say_result("make a hole", UNMAP(chunk + 23 * PAGE, 2 * MIB - 23 * PAGE));
    say("over it", map(chunk, 40 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd) - chunk);
    say_result("unmap the first ones", UNMAP(chunk, 23 * PAGE));
    say("byte", chunk[23 * PAGE]);
    say_result("unmap one", UNMAP(chunk + 30 * PAGE, PAGE));
    probe("gone", chunk + 30 * PAGE, false);
    say("byte", chunk[31 * PAGE]);
    say_result("unmap all", UNMAP(memory, SIZE));
    probe("gone", chunk + 31 * PAGE, false);
}

static void files(void)
{
    char *memory = filled(SIZE);
    int fd = make_file(2 * MIB);
    char byte = 0;

    say("shared", map(memory + 3 * MIB, 4 * MIB, RW, MAP_SHARED | MAP_FIXED, fd) - memory);
    say("byte", memory[3 * MIB + 7 * PAGE]);
    memory[3 * MIB + 7 * PAGE] = 77;
    say_result("sync", CALL(msync, memory + 3 * MIB, 2 * MIB, MS_SYNC));
    say_result("pread", pread(fd, &byte, 1, 7 * PAGE));
    say("byte", byte);
    probe("beyond the file", memory + 6 * MIB, false);
    count("below", memory, 0, 3 * MIB, 0);
    count("above", memory, 7 * MIB, SIZE, 0);
    say_result("write from it", write(fd, memory + 3 * MIB, PAGE));
    say_result("unmap part", UNMAP(memory + 3 * MIB, MIB));
    probe("gone", memory + 3 * MIB, false);
    say("byte", memory[4 * MIB]);
    say("private", map(memory + 2 * MIB, 2 * MIB, RW, MAP_PRIVATE | MAP_FIXED, fd) - memory);
    memory[2 * MIB] = 99;
    say("byte", memory[2 * MIB] + memory[3 * MIB]);
    say("anonymous", map(memory + MIB, 4 * MIB, RW, ANON | MAP_FIXED, -1) - memory);
    count("zero", memory, MIB, 5 * MIB, 0);
    fill(memory, MIB, 5 * MIB);
    count("filled", memory, MIB, 5 * MIB, 0);
    say_result("bad file", (long)map(memory + MIB, MIB, RW, MAP_SHARED | MAP_FIXED, 999));
    count("kept", memory, MIB, 5 * MIB, 0);
    say("shared anonymous",
        map(memory + MIB, MIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1) - memory);
    count("zero", memory, MIB, 2 * MIB, 0);
    fill(memory, MIB, 2 * MIB);
    count("filled", memory, MIB, 5 * MIB, 0);
    say_result("unmap all", UNMAP(memory, SIZE));
    probe("gone", memory + 6 * MIB, false);
    char *again = filled(SIZE);
    count("again", again, 0, SIZE, 0);
    UNMAP(again, SIZE);
    file_over_hole(fd);
    close(fd);
}

static void remapping(void)
{
    char *memory = filled(SIZE), *to, *moved;

    moved = REMAP(memory, SIZE, SIZE - 3 * MIB, 0);
    say("shrunk", moved - memory);
    probe("gone", memory + SIZE - 3 * MIB, false);
    moved = REMAP(memory, SIZE - 3 * MIB, SIZE + 8 * MIB, MREMAP_MAYMOVE);
    count("grown", moved, 0, SIZE + 8 * MIB, 0);
    fill(moved, 0, SIZE + 8 * MIB);
    to = must_map(SIZE + 8 * MIB, PROT_READ, ANON);
    memory = REMAP_TO(moved, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 2 * MIB + PAGE);
    say("fixed", memory - to);
    count("moved", memory, 0, SIZE, 0);
    probe("source", moved, false);
    count("source's rest", moved, SIZE, SIZE + 8 * MIB, 0);
    UNMAP(moved + SIZE, 8 * MIB);
    say_result("read only", PROTECT(memory, SIZE, PROT_READ));
    moved = REMAP(memory, SIZE, SIZE + MIB, MREMAP_MAYMOVE);
    count("moved", moved, 0, SIZE + MIB, 0);
    probe("write", moved + 3 * MIB, true);
    probe("write", moved + SIZE, true);
    PROTECT(moved, SIZE + MIB, RW);
    memory = REMAP(moved, SIZE + MIB, SIZE + MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    count("left", moved, 0, SIZE + MIB, 0);
    count("taken", memory, 0, SIZE + MIB, 0);
    UNMAP(moved, SIZE + MIB);
    PROTECT(memory + MIB, MIB, PROT_READ);
    say_result("two kinds", (long)REMAP(memory, SIZE, 2 * SIZE, MREMAP_MAYMOVE));
    PROTECT(memory + MIB, MIB, RW);
    UNMAP(memory + MIB, PAGE);
    say_result("a hole", (long)REMAP(memory, SIZE, 2 * SIZE, MREMAP_MAYMOVE));
    say_result("unaligned", (long)REMAP(memory + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    say_result("no size", (long)REMAP(memory, PAGE, 0, MREMAP_MAYMOVE));
    say_result("no old size", (long)REMAP(memory, 0, PAGE, MREMAP_MAYMOVE));
    say_result("flags", (long)REMAP(memory, PAGE, PAGE, 8));
    say_result("overlap", (long)REMAP_TO(memory, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                                         memory + PAGE));
    UNMAP(memory, SIZE + MIB);
    UNMAP(to, SIZE + 8 * MIB);
}

static void in_child(const char *what, const char *memory, size_t from, size_t to)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        probe(what, (char *)memory + from, false);
        if (got_signal == 0)
            count(what, memory, from, to, 0);
        _exit(0);
    }
    waitpid(child, &status, 0);
    say("child", status);
}

static void advice(void)
{
    static const int harmless[] = {MADV_NORMAL, MADV_RANDOM,     MADV_SEQUENTIAL, MADV_WILLNEED,
                                   MADV_COLD,   MADV_PAGEOUT,    MADV_DONTDUMP,   MADV_DODUMP,
                                   MADV_DOFORK, MADV_NOHUGEPAGE, MADV_KEEPONFORK};
    char *memory = filled(SIZE);

    for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        say_result("harmless", ADVISE(memory + PAGE, SIZE - PAGE, harmless[i]));
    count("kept", memory, 0, SIZE, 0);
    say_result("drop", ADVISE(memory + MIB, MIB - 1, MADV_DONTNEED));
    count("dropped", memory, 0, 3 * MIB, 0);
    fill(memory, 0, SIZE);
    say_result("free", ADVISE(memory + MIB, MIB, MADV_FREE));
    fill(memory, MIB, 2 * MIB);
    say_result("wipe", ADVISE(memory + 2 * MIB, 2 * MIB, MADV_WIPEONFORK));
    in_child("wiped", memory, 2 * MIB, 5 * MIB);
    count("parent", memory, 0, SIZE, 0);
    say_result("keep", ADVISE(memory + 2 * MIB, MIB, MADV_KEEPONFORK));
    say_result("not for children", ADVISE(memory + 6 * MIB, MIB, MADV_DONTFORK));
    in_child("half", memory, 2 * MIB, 6 * MIB);
    in_child("missing", memory, 6 * MIB, 7 * MIB);
    in_child("behind", memory, 7 * MIB, SIZE);
    count("parent", memory, 0, SIZE, 0);
    say_result("populate", ADVISE(memory, MIB, MADV_POPULATE_READ));
    PROTECT(memory, MIB, PROT_READ);
    say_result("populate", ADVISE(memory, 2 * MIB, MADV_POPULATE_WRITE));
    say_result("unaligned", ADVISE(memory + 1, PAGE, MADV_DONTNEED));
    say_result("unknown", ADVISE(memory, PAGE, 9999));
    say_result("remove", ADVISE(memory, PAGE, MADV_REMOVE));
    say_result("no size", ADVISE(memory, 0, MADV_DONTNEED));
    UNMAP(memory + 3 * MIB, MIB);
    say_result("over a hole", ADVISE(memory + 2 * MIB, 3 * MIB, MADV_DONTNEED));
    count("dropped", memory, 2 * MIB, 3 * MIB, 0);
    count("dropped", memory, 4 * MIB, 5 * MIB, 0);
    say("posix", posix_madvise(memory, MIB, POSIX_MADV_DONTNEED));
    count("kept", memory, 0, MIB, 0);
    UNMAP(memory, SIZE);
}

static void locking(void)
{
    char *memory = filled(SIZE);
    unsigned char states[512] = {0};

    say_result("lock", CALL(mlock, memory + MIB + 5, 64 * 1024));
    say_result("again", CALL(mlock, memory + MIB + 5, 64 * 1024));
    for (size_t at = 0; at < SIZE; at += PAGE)
        memory[at] = 0;
    say_result("in core", CALL(mincore, memory + MIB, 16 * PAGE, states));
    say("states", states[0] + states[15]);
    say_result("drop locked", ADVISE(memory + MIB, PAGE, MADV_DONTNEED));
    say_result("invalidate locked", CALL(msync, memory + MIB, PAGE, MS_INVALIDATE));
    say_result("unlock", CALL(munlock, memory, 2 * MIB));
    say_result("drop", ADVISE(memory + MIB, 4 * PAGE, MADV_DONTNEED));
    say_result("in core", CALL(mincore, memory + MIB, 4 * PAGE, states));
    say("states", states[0] + states[1] + states[3]);
    say_result("sync", CALL(msync, memory, SIZE, MS_SYNC));
    say_result("sync twice", CALL(msync, memory, SIZE, MS_SYNC | MS_ASYNC));
    say_result("sync unaligned", CALL(msync, memory + 1, SIZE, MS_SYNC));
    say_result("in core unaligned", CALL(mincore, memory + 1, PAGE, states));
    UNMAP(memory + 2 * MIB, PAGE);
    say_result("lock a hole", CALL(mlock, memory + 2 * MIB, PAGE));
    say_result("in core, a hole", CALL(mincore, memory + 2 * MIB - PAGE, 2 * PAGE, states));
    say_result("sync a hole", CALL(msync, memory + MIB, 2 * MIB, MS_SYNC));
    CALL(mlock, memory, 32 * PAGE);
    UNMAP(memory, SIZE);
}

static void forking(void)
{
    char *memory = filled(SIZE);
    pid_t child = fork();
    int status;

    if (child == 0) {
        count("child", memory, 0, SIZE, 0);
        PROTECT(memory, MIB, PROT_READ);
        UNMAP(memory + 2 * MIB, MIB);
        memset(memory + 4 * MIB, 0, MIB);
        char *moved = REMAP(memory + 6 * MIB, 2 * MIB, 3 * MIB, MREMAP_MAYMOVE);
        count("child moved", moved, 0, 3 * MIB, 6 * MIB);
        count("child", memory, 0, 2 * MIB, 0);
        count("child", memory, 3 * MIB, 6 * MIB, 0);
        probe("child", memory, true);
        _exit(0);
    }
    memset(memory + 9 * MIB, 0, MIB);
    waitpid(child, &status, 0);
    say("child", status);
    count("parent", memory, 0, SIZE, 0);
    UNMAP(memory, SIZE);
}

/* What is at both ends of each page, read page by page in no order: under uswap each comes in
 * alone, protected against writes. */
static void read_scattered(const char *what, const char *memory)
{
    const size_t pages = SIZE / PAGE;
    uint64_t sum = 0;

    for (size_t i = 0; i < pages; i++) {
        size_t page = i * 1021 % pages;
        const volatile uint64_t *words =
            (const volatile uint64_t *)(const void *)(memory + page * PAGE);
        sum += (words[0] ^ words[PAGE / sizeof(*words) - 1]) * (page + 1);
    }
    say(what, (long)(sum >> 1));
}

/* Write to every third page. */
static void scatter(char *memory, uint64_t value)
{
    for (size_t page = value % 3; page < SIZE / PAGE; page += 3)
        *(volatile uint64_t *)(void *)(memory + page * PAGE) = value * page;
}

/* And read all of it: most has left memory by then, the rest is read by who comes next. */
static void write_scattered(const char *what, char *memory, uint64_t value)
{
    scatter(memory, value);
    read_scattered(what, memory);
}

static void read_into(char *memory)
{
    char name[] = "read.XXXXXX";
    int file = mkstemp(name);
    long total = 0;

    if (file < 0 || unlink(name) || write(file, memory, MIB) != (ssize_t)MIB)
        exit(1);
    read_scattered("before reading", memory);
    for (size_t at = 0; at < SIZE; at += 5 * PAGE)
        total += CALL(pread64, file, memory + at, 100, (at + 7 * PAGE) % MIB);
    say("read", total);
    close(file);
    read_scattered("read into", memory);
}

/* However much is locked, system calls find room for what they use. */
static void read_while_locked(void)
{
    char *memory = filled(SIZE);
    size_t locked = 0;

    while (locked < SIZE / 2 && CALL(mlock, memory + locked, MIB / 4) == 0)
        locked += MIB / 4;
    say("locked", locked > 0);
    read_into(memory);
    CALL(munlock, memory, SIZE);
    read_scattered("unlocked", memory);
    read_scattered("again", memory);
    UNMAP(memory, SIZE);
}

/* What is freed while it is locked holds on to nothing: many times what may be locked at once. */
static void free_locked(void)
{
    char *others[12];

    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        char *block = malloc(MIB / 2);
        say_result("lock", CALL(mlock, block, MIB / 2));
        free(block);
        malloc_trim(0);
        others[i] = malloc(MIB / 2); /* where the block was */
        memset(others[i], 'x', MIB / 2);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        free(others[i]);
}

/* Both write to what both had only read. */
static void write_on_both_sides(char *memory)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        write_scattered("child", memory, 601);
        read_scattered("child", memory);
        _exit(0);
    }
    scatter(memory, 701);
    waitpid(child, &status, 0);
    say("child", status);
    read_scattered("parent", memory);
    read_scattered("parent", memory);
}

/* What was only read is written to after all: not a byte of that may be lost. */
static void read_then_written(void)
{
    char *memory = filled(SIZE), *to = must_map(SIZE, PROT_NONE, ANON);

    read_scattered("filled", memory);
    PROTECT(memory, SIZE, PROT_READ);
    probe("read only", memory + 5 * PAGE, true);
    PROTECT(memory, SIZE, RW);
    write_scattered("writable again", memory, 101);
    PROTECT(memory, SIZE, PROT_NONE);
    PROTECT(memory, SIZE, RW);
    write_scattered("accessible again", memory, 202);
    memory = REMAP_TO(memory, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    write_scattered("moved", memory, 301);
    PROTECT(memory, SIZE, PROT_READ);
    read_scattered("moved", memory);
    memory = REMAP(memory, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    PROTECT(memory, SIZE, RW);
    UNMAP(to, SIZE);
    write_scattered("moved read only", memory, 402);
    say_result("lock", CALL(mlock, memory + SIZE - MIB, MIB / 2));
    write_scattered("locked", memory, 501);
    CALL(munlock, memory, SIZE);
    read_into(memory);
    write_on_both_sides(memory);
    UNMAP(memory, SIZE);
}

static void system_calls(void)
{
    char *memory = filled(SIZE);
    int ends[2];

    if (pipe(ends))
        exit(1);
    PROTECT(memory + MIB, MIB, PROT_READ);
    PROTECT(memory + 2 * MIB, MIB, PROT_NONE);
    UNMAP(memory + 3 * MIB, MIB);
    say_result("write from read only", CALL(write, ends[1], memory + MIB, 100));
    say_result("write from none", CALL(write, ends[1], memory + 2 * MIB, 100));
    say_result("write from a hole", CALL(write, ends[1], memory + 3 * MIB, 100));
    say_result("read into read only", CALL(read, ends[0], memory + MIB + PAGE, 10));
    say_result("read", CALL(read, ends[0], memory + 5 * MIB, 10));
    PROTECT(memory, 3 * MIB, RW);
    count("kept", memory, 0, 3 * MIB, 0);
    close(ends[0]);
    close(ends[1]);
    UNMAP(memory, SIZE);
}

static void errors(void)
{
    say_result("no size", (long)map(NULL, 0, RW, ANON, -1));
    say_result("no kind", (long)map(NULL, MIB, RW, MAP_ANONYMOUS, -1));
    say_result("too much", (long)map(NULL, SIZE_MAX - MIB, RW, ANON, -1));
    say_result("bad file", (long)map(NULL, MIB, RW, MAP_PRIVATE, -1));
    char *memory = map((void *)0x123000, MIB, RW, ANON, -1);
    say("a hint", memory != MAP_FAILED);
    say_result("lock on fault", CALL(mlock2, memory, PAGE, 1));
    say_result("no key", CALL(pkey_mprotect, memory, MIB, PROT_READ, -1));
    say_result("unmap", UNMAP(memory, MIB));
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"fresh", fresh_memory},
    {"holes", holes},
    {"replaced", replaced},
    {"reserve", reservation},
    {"protect", protection},
    {"neighbours", neighbours},
    {"files", files},
    {"remap", remapping},
    {"advice", advice},
    {"lock", locking},
    {"fork", forking},
    {"calls", system_calls},
    {"errors", errors},
    {"clean", read_then_written},
    {"locked", read_while_locked},
    {"freed", free_locked},
};

/* Argument: one case only. */
int main(int argc, char **argv)
{
    /* What malloc() gives may lie in a hole that a case makes, and means to use. */
    static char buffer[BUFSIZ];

    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
            continue;
        for (way = BY_NAME; way < WAYS; way++) {
            /* Mostly the same as by name. */
            if (way == BY_SYSCALL && i % 4)
                continue;
            case_name = cases[i].name;
            catch_faults();
            cases[i].run();
        }
    }
    return 0;
}
