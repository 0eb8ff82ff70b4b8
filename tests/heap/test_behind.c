/* SPDX-License-Identifier: MIT */
/*
 * What happens to memory from malloc behind the engine's back: a device writes to it, the program
 * drops or protects it by system calls that nobody interposes; and a malloc that is refused must
 * not cost others theirs. Argument: the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE       4096
#define PAGE_WORDS (PAGE / sizeof(uint64_t))
#define PAGES      5000
#define PART       16 /* pages of one transfer */

__attribute__((weak)) int uswap_advise(void *address, size_t size, enum uswap_advice advice);

static uint64_t content(size_t page, uint64_t salt)
{
    return (page * 64 + salt) * 0x9e3779b97f4a7c15;
}

static void fill_page(uint64_t *memory, size_t page, uint64_t salt)
{
    for (size_t j = 0; j < PAGE_WORDS; j++)
        memory[page * PAGE_WORDS + j] = content(page, salt) + j;
}

static bool page_is(const uint64_t *memory, size_t page, uint64_t salt)
{
    for (size_t j = 0; j < PAGE_WORDS; j++)
        if (memory[page * PAGE_WORDS + j] != content(page, salt) + j)
            return false;
    return true;
}

static bool page_is_zero(const uint64_t *memory, size_t page)
{
    for (size_t j = 0; j < PAGE_WORDS; j++)
        if (memory[page * PAGE_WORDS + j])
            return false;
    return true;
}

static uint64_t *filled(uint64_t salt)
{
    uint64_t *memory = aligned_alloc(PAGE, (size_t)PAGES * PAGE);

    CHECK(memory);
    for (size_t i = 0; i < PAGES; i++)
        fill_page(memory, i, salt);
    return memory;
}

/* As a program without libc would. */
static long by_instruction(long number, const void *address, size_t size, long how)
{
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(address), "S"(size), "d"(how)
                     : "rcx", "r11", "memory");
    return result;
}

/* ---- A device ---- */

static atomic_bool over;

static void *push_out(void *memory)
{
    struct random random = {1};

    while (!atomic_load(&over)) {
        size_t page = random_below(&random, PAGES - PART);

        CHECK(uswap_advise((char *)memory + page * PAGE, PART * PAGE, USWAP_COLD) == 0);
    }
    return NULL;
}

static int direct_file(const uint64_t *memory)
{
    char name[] = "/var/tmp/uswap-test-XXXXXX";
    int plain = mkstemp(name);
    int direct = open(name, O_RDWR | O_DIRECT);

    unlink(name);
    CHECK(plain >= 0);
    CHECK(write(plain, memory, (size_t)PAGES * PAGE) == (ssize_t)PAGES * PAGE);
    CHECK(fsync(plain) == 0 && close(plain) == 0);
    return direct;
}

/* The device writes to pages that were swapped out a moment ago, and are pushed out all the time.
 */
static void read_by_a_device(struct random *random)
{
    uint64_t *memory = filled(1);
    int file = direct_file(memory);
    pthread_t pusher;

    if (file < 0) {
        printf("no direct IO here\n");
        return;
    }
    for (size_t i = 0; i < PAGES; i++)
        fill_page(memory, i, 2);
    CHECK(pthread_create(&pusher, NULL, push_out, memory) == 0);
    for (int i = 0; i < 400; i++) {
        size_t page = random_below(random, PAGES - PART), size = PART * PAGE;
        char *at = (char *)memory + page * PAGE;

        CHECK(pread(file, at, size, (off_t)(page * PAGE)) == (ssize_t)size);
        for (size_t j = 0; j < PART; j++)
            CHECK(page_is(memory, page + j, 1));
        for (size_t j = 0; j < PART; j++)
            fill_page(memory, page + j, 2);
    }
    atomic_store(&over, true);
    CHECK(pthread_join(pusher, NULL) == 0);
    for (size_t i = 0; i < PAGES; i++)
        CHECK(page_is(memory, i, 2));
    close(file);
    free(memory);
}

/* ---- System calls ---- */

/* Pages that are in memory are dropped; no other changes. */
static void dropped_by_the_program(struct random *random)
{
    uint64_t *memory = filled(3);

    for (int i = 0; i < 2000; i++) {
        size_t page = random_below(random, PAGES);
        uint64_t salt = random_below(random, 60);

        fill_page(memory, page, salt);
        CHECK(by_instruction(SYS_madvise, memory + page * PAGE_WORDS, PAGE, MADV_DONTNEED) == 0);
        CHECK(page_is_zero(memory, page) || page_is(memory, page, salt));
        fill_page(memory, page, 3);
    }
    for (size_t i = 0; i < PAGES; i++)
        CHECK(page_is(memory, i, 3));
    free(memory);
}

/* Read-only memory is swapped as any other; so is what was not accessible for a while. */
static void protected_by_the_program(void)
{
    uint64_t *memory = filled(4);
    uint64_t *some = memory + 100 * PAGE_WORDS;
    const size_t size = 200 * PAGE;

    for (int round = 0; round < 3; round++) {
        CHECK(by_instruction(SYS_mprotect, some, size, PROT_READ) == 0);
        for (size_t i = 0; i < PAGES; i++)
            CHECK(page_is(memory, i, 4));
        CHECK(uswap_advise(some, size, USWAP_COLD) == 0);
        for (size_t i = 100; i < 300; i++)
            CHECK(page_is(memory, i, 4));
        CHECK(by_instruction(SYS_mprotect, some, size, PROT_NONE) == 0);
        for (size_t i = 400; i < PAGES; i++)
            CHECK(page_is(memory, i, 4));
        CHECK(by_instruction(SYS_mprotect, some, size, PROT_READ | PROT_WRITE) == 0);
        for (size_t i = 0; i < PAGES; i++)
            CHECK(page_is(memory, i, 4));
        for (size_t i = 100; i < 300; i++)
            fill_page(memory, i, 4);
    }
    free(memory);
}

/* ---- Refusals ---- */

static void *ask_for_too_much(void *unused)
{
    while (!atomic_load(&over)) {
        void *volatile block = malloc((size_t)4 << 30);

        CHECK(!block && errno == ENOMEM);
    }
    return NULL;
}

static void refused_beside_others(struct random *random)
{
    pthread_t thread;

    atomic_store(&over, false);
    CHECK(pthread_create(&thread, NULL, ask_for_too_much, NULL) == 0);
    for (int i = 0; i < 1000; i++) {
        size_t size = random_below(random, 8 << 20) + 1;
        char *block = malloc(size);

        CHECK(block);
        block[size - 1] = 1;
        free(block);
    }
    atomic_store(&over, true);
    CHECK(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
    struct random random = random_start(argc, argv);

    read_by_a_device(&random);
    dropped_by_the_program(&random);
    protected_by_the_program();
    refused_beside_others(&random);
    check_swapped();
    return 0;
}
