/* SPDX-License-Identifier: MIT */
/*
 * Prints what the malloc family answers to ordinary and strange requests: one line each, without
 * addresses. test_semantics.sh runs it with and without the preload library and compares.
 */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t sizes[] = {0,
                               1,
                               7,
                               8,
                               9,
                               16,
                               24,
                               100,
                               4095,
                               4096,
                               4097,
                               100000,
                               1 << 20,
                               (1 << 21) + 1,
                               (size_t)PTRDIFF_MAX,
                               (size_t)PTRDIFF_MAX + 1,
                               SIZE_MAX - 4097,
                               SIZE_MAX - 15,
                               SIZE_MAX};
static const size_t alignments[] = {0,
                                    1,
                                    2,
                                    3,
                                    4,
                                    8,
                                    16,
                                    24,
                                    32,
                                    48,
                                    64,
                                    100,
                                    4096,
                                    5000,
                                    65536,
                                    (size_t)1 << 21,
                                    (size_t)1 << 62,
                                    (size_t)1 << 63,
                                    ((size_t)1 << 63) + 1,
                                    SIZE_MAX};

#define LARGEST ((size_t)16 << 20)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The largest power of two up to wanted that the address is a multiple of. */
static size_t alignment_of(void *block, size_t wanted)
{
    size_t power = 1;

    while (power < wanted && (uintptr_t)block % (power * 2) == 0)
        power *= 2;
    return power;
}

static size_t round_up(size_t alignment)
{
    size_t power = 16;

    while (power && power < alignment)
        power *= 2;
    return power;
}

/* What a call gave; the block is written to from end to end and freed. */
static void report(const char *call, size_t a, size_t b, void *block, size_t size, size_t alignment)
{
    int error = errno;

    printf("%s(%zu, %zu): ", call, a, b);
    if (!block) {
        printf("NULL errno %s\n", strerrorname_np(error));
        return;
    }
    printf("block aligned %zu usable %d\n", alignment_of(block, alignment),
           malloc_usable_size(block) >= size);
    memset(block, 0x5a, size);
    errno = EDOM;
    free(block);
    if (errno != EDOM)
        printf("free changed errno\n");
    errno = 0;
}

static void plain(void)
{
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t size = sizes[i];

        errno = 0;
        report("malloc", size, 0, malloc(size), size, 16);
        report("realloc NULL", size, 0, realloc(NULL, size), size, 16);
        report("valloc", size, 0, valloc(size), size, 4096);
        report("pvalloc", size, 0, pvalloc(size), size, 4096);
        for (size_t j = 0; j < COUNT(sizes); j++) {
            size_t total;
            bool overflow = __builtin_mul_overflow(size, sizes[j], &total);

            /* Whether gigabytes are given depends on the machine. */
            if (!overflow && total > LARGEST && total <= PTRDIFF_MAX)
                continue;
            report("calloc", size, sizes[j], calloc(size, sizes[j]), total, 16);
            report("reallocarray", size, sizes[j], reallocarray(NULL, size, sizes[j]), total, 16);
        }
    }
}

static void aligned(size_t alignment, size_t size)
{
    void *block = NULL;

    errno = 0;
    report("memalign", alignment, size, memalign(alignment, size), size, round_up(alignment));
    report("aligned_alloc", alignment, size, aligned_alloc(alignment, size), size,
           round_up(alignment));
    errno = EDOM;
    int error = posix_memalign(&block, alignment, size);
    printf("posix_memalign gives %d\n", error);
    if (error && block)
        printf("posix_memalign stored a pointer\n");
    if (!error)
        report("posix_memalign", alignment, size, block, size, round_up(alignment));
}

/* The compiler need not know. */
static volatile size_t too_large = SIZE_MAX / 2 + 1;

/* realloc keeps the content, frees for size 0, and leaves the block alone when it fails. */
static void moved(void)
{
    char *block = malloc(10);

    strcpy(block, "content");
    for (size_t size = 10; size < (size_t)40 << 20; size = size * 3 + 5)
        block = realloc(block, size);
    printf("grown: %s\n", block);
    errno = 0;
    char *volatile kept = block; /* the compiler takes it for freed */
    char *refused = realloc(block, too_large);
    printf("too large: %p %s %s\n", (void *)refused, strerrorname_np(errno), kept);
    errno = 0;
    refused = reallocarray(kept, too_large, 3);
    printf("too many: %p %s %s\n", (void *)refused, strerrorname_np(errno), kept);
    block = realloc(kept, 8);
    printf("shrunk: %s\n", block);
    errno = EDOM;
    printf("to nothing: %p %s\n", realloc(block, 0), strerrorname_np(errno));
}

static void information(void)
{
    FILE *stream = fopen("/dev/null", "w");

    printf("usable NULL %zu\n", malloc_usable_size(NULL));
    printf("mallopt %d\n", mallopt(M_MMAP_THRESHOLD, 1 << 20));
    errno = 0;
    printf("malloc_info %d %d", malloc_info(0, stream), malloc_info(1, stream));
    printf(" %s\n", strerrorname_np(errno));
    fclose(stream);
    void *block = malloc(1 << 24);
    memset(block, 1, 1 << 24);
    struct mallinfo2 info = mallinfo2();
    printf("mallinfo2 %d\n", info.uordblks + info.hblkhd >= 1 << 24);
    free(block);
    free(NULL);
    malloc_trim(0);
}

int main(void)
{
    plain();
    for (size_t i = 0; i < COUNT(alignments); i++)
        for (size_t j = 0; j < COUNT(sizes); j++)
            aligned(alignments[i], sizes[j]);
    moved();
    information();
    return 0;
}
