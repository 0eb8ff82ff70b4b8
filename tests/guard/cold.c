/* SPDX-License-Identifier: MIT */
#include "cold.h"

#include "by_instruction.h"

#include "uswap/uswap.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCKS_MAX 256

static struct block {
    char *pages;
    size_t count;
} blocks[BLOCKS_MAX];
static unsigned block_count;

static const char *case_name = "";
static enum way case_way;

static _Noreturn void fail(const char *why)
{
    fprintf(stderr, "%s: %s\n", case_name, why);
    exit(1);
}

void *cold(size_t size)
{
    size_t count = size / PAGE + 2;
    char *pages = aligned_alloc(PAGE, count * PAGE);

    if (!pages || block_count == BLOCKS_MAX)
        fail("no memory");
    memset(pages, 0, count * PAGE);
    blocks[block_count++] = (struct block){pages, count};
    return pages + PAGE - (size >= 16 ? 8 : size / 2 / 4 * 4);
}

void *cold_copy(const void *bytes, size_t size)
{
    return memcpy(cold(size), bytes, size);
}

char *cold_string(const char *string)
{
    size_t size = strlen(string) + 1;
    char *pages = cold(2 * PAGE);

    /* Across the boundary, however short. */
    return memcpy(pages + 8 - size / 2, string, size);
}

void keep_cold(void)
{
    block_count = 0;
}

long by_instruction(long number, ...)
{
    long a[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    return call_by_instruction(number, a);
}

/* Whether the kernel has a page of it: mincore() would be answered by uswap. */
static bool is_resident(const struct block *block)
{
    uint64_t entries[64];
    size_t count = block->count < 64 ? block->count : 64;
    int fd = open("/proc/self/pagemap", O_RDONLY);
    ssize_t size = (ssize_t)(count * sizeof(*entries));

    if (fd < 0 ||
        pread(fd, entries, (size_t)size, (off_t)((uintptr_t)block->pages / PAGE * 8)) != size)
        fail("pagemap");
    close(fd);
    for (size_t i = 0; i < count; i++)
        if (entries[i] >> 63)
            return true;
    return false;
}

/* uswap's advice takes the memory out of the window at once; without uswap there is nothing to do.
 */
static void advise(void)
{
    int (*give)(void *, size_t, enum uswap_advice) =
        (int (*)(void *, size_t, enum uswap_advice))(uintptr_t)dlsym(RTLD_DEFAULT, "uswap_advise");

    for (unsigned i = 0; give && i < block_count; i++)
        if (give(blocks[i].pages, blocks[i].count * PAGE, USWAP_COLD))
            fail("advice is refused");
}

void push_out(void)
{
    advise();
    errno = 0;
}

static bool all_cold(void)
{
    for (unsigned i = 0; i < block_count; i++)
        if (is_resident(&blocks[i]))
            return false;
    return true;
}

/* What a child of vfork() pinned until it became another program goes with the next call that pins.
 */
static void let_go(void)
{
    if (block_count > 0)
        (void)!access(blocks[0].pages, F_OK);
}

/* What the kernel still holds on to, as after a transfer that has just ended, does not leave. */
void chill(void)
{
    unsigned tries = 0;

    let_go();
    advise();
    while (getenv("LD_PRELOAD") && !all_cold()) {
        if (tries++ == 1000)
            fail("memory cannot be made cold");
        usleep(1000);
        advise();
    }
    errno = 0;
}

void say(const char *what, long result, const void *bytes, size_t size)
{
    static const char *const ways[] = {"name", "syscall", "instruction"};
    const unsigned char *byte = bytes;
    int error = errno;
    uint32_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = sum * 31 + byte[i];
    printf("%s/%s by %s: %ld", case_name, what, ways[case_way], result);
    if (result == -1)
        printf(" %s", strerrorname_np(error));
    printf(" %08x\n", sum);
    fflush(stdout);
}

int cold_main(const struct cold_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int way = BY_NAME; way <= BY_INSTRUCTION; way++) {
            case_name = cases[i].name;
            case_way = (enum way)way;
            cases[i].run((enum way)way);
            while (block_count > 0)
                free(blocks[--block_count].pages);
        }
    }
    return 0;
}
