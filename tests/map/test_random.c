/* SPDX-License-Identifier: MIT */
/*
 * Random calls on mappings in areas that are together several times the budget, each checked
 * against a model: what every page holds, and whether it may be read and written. Threads work in
 * areas of their own at the same time; in between a child of fork checks its copy. Argument: the
 * seed.
 *
 * An area is a reservation, in which pieces are mapped, unmapped, protected, dropped, moved, and
 * replaced by files and back. Each page that has content begins and ends with its stamp.
 */
#include "heap_test.h"
#include "random.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE    4096
#define THREADS 3
#define PAGES   3000 /* in an area */
#define PIECE   400
#define CHUNK   512
#define STEPS   700

enum { GONE, NONE, READ, WRITE };

struct area {
    struct random random;
    char *memory;
    int file;
    uint64_t stamps[PAGES]; /* 0: a page of zeros */
    uint8_t access[PAGES];
    bool shared[PAGES]; /* mapped from the file */
};

static char *at(const struct area *area, size_t page)
{
    return area->memory + page * PAGE;
}

static void verify_page(const struct area *area, size_t page)
{
    const volatile uint64_t *words = (const volatile uint64_t *)(const void *)at(area, page);

    if (words[0] == area->stamps[page] && words[PAGE / 8 - 1] == area->stamps[page])
        return;
    fprintf(stderr, "page %zu of %p: %lx and %lx instead of %lx\n", page, (void *)area->memory,
            (long)words[0], (long)words[PAGE / 8 - 1], (long)area->stamps[page]);
    abort();
}

static void verify(const struct area *area, size_t first, size_t count)
{
    for (size_t page = first; page < first + count; page++)
        if (area->access[page] >= READ)
            verify_page(area, page);
}

/* What may not be touched gives EFAULT to a system call. */
static void verify_forbidden(const struct area *area, size_t page)
{
    int ends[2];

    if (area->access[page] >= READ)
        return;
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], at(area, page), 1) == -1 && errno == EFAULT);
    close(ends[0]);
    close(ends[1]);
}

static void stamp(struct area *area, size_t first, size_t count)
{
    for (size_t page = first; page < first + count; page++) {
        uint64_t *words = (uint64_t *)(void *)at(area, page);
        if (area->access[page] != WRITE)
            continue;
        area->stamps[page] = words[0] = words[PAGE / 8 - 1] = random_next(&area->random) | 1;
    }
}

/* The model of fresh memory. */
static void note(struct area *area, size_t first, size_t count, uint8_t access)
{
    memset(&area->stamps[first], 0, count * sizeof(*area->stamps));
    memset(&area->access[first], access, count);
    memset(&area->shared[first], false, count);
}

static bool all(const struct area *area, size_t first, size_t count,
                bool (*is)(const struct area *, size_t))
{
    for (size_t page = first; page < first + count; page++)
        if (!is(area, page))
            return false;
    return true;
}

static bool is_mapped(const struct area *area, size_t page)
{
    return area->access[page] != GONE;
}

/* Whether other pages of the chunks of the window stay mapped: a chunk that is free may be used for
 * something else at once, and the model knows nothing of that. */
static bool keeps_chunks(const struct area *area, size_t first, size_t count)
{
    for (size_t chunk = 0; chunk < PAGES; chunk += CHUNK) {
        size_t left = 0;
        for (size_t page = chunk; page < chunk + CHUNK && page < PAGES; page++)
            left += is_mapped(area, page) && (page < first || page >= first + count);
        if (!left)
            return false;
    }
    return true;
}

static const int protections[] = {
    [NONE] = PROT_NONE, [READ] = PROT_READ, [WRITE] = PROT_READ | PROT_WRITE};

static void renew(struct area *area, size_t first, size_t count)
{
    uint8_t access =
        (uint8_t)(random_below(&area->random, 4) ? WRITE : NONE + random_below(&area->random, 2));

    CHECK(mmap(at(area, first), count * PAGE, protections[access],
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at(area, first));
    note(area, first, count, access);
}

static void unmap(struct area *area, size_t first, size_t count)
{
    if (!keeps_chunks(area, first, count)) {
        renew(area, first, count);
        return;
    }
    CHECK(munmap(at(area, first), count * PAGE) == 0);
    note(area, first, count, GONE);
}

static void protect(struct area *area, size_t first, size_t count)
{
    uint8_t access = (uint8_t)(NONE + random_below(&area->random, 3));
    int result =
        random_below(&area->random, 4)
            ? mprotect(at(area, first), count * PAGE, protections[access])
            : (int)syscall(SYS_mprotect, at(area, first), count * PAGE, protections[access]);

    for (size_t page = first; page < first + count && is_mapped(area, page); page++)
        area->access[page] = access;
    CHECK(result == (all(area, first, count, is_mapped) ? 0 : -1));
}

static void drop(struct area *area, size_t first, size_t count)
{
    int result = madvise(at(area, first), count * PAGE, MADV_DONTNEED);

    CHECK(result == (all(area, first, count, is_mapped) ? 0 : -1));
    for (size_t page = first; page < first + count; page++)
        if (!area->shared[page])
            area->stamps[page] = 0;
}

static void advise(struct area *area, size_t first, size_t count)
{
    static const int advice[] = {MADV_WILLNEED, MADV_COLD, MADV_RANDOM, MADV_SEQUENTIAL,
                                 MADV_NORMAL};

    madvise(at(area, first), count * PAGE, advice[random_below(&area->random, 5)]);
}

/* A file over it, whose pages have the stamps that the model knows. */
static void place_file(struct area *area, size_t first, size_t count)
{
    CHECK(mmap(at(area, first), count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
               area->file, 0) == at(area, first));
    for (size_t page = 0; page < count; page++) {
        note(area, first + page, 1, WRITE);
        area->shared[first + page] = true;
    }
    for (size_t page = 0; page < PAGES; page++) /* the one file is in one place only */
        if ((page < first || page >= first + count) && area->shared[page])
            unmap(area, page, 1);
    stamp(area, first, count);
}

/* Away, and back to where the random takes it. */
static void move(struct area *area, size_t first, size_t count)
{
    uint64_t stamps[PIECE];
    size_t to = random_below(&area->random, PAGES - PIECE - 5);
    size_t size = count * PAGE;
    char *moved;

    if (!keeps_chunks(area, first, count))
        return;
    /* The kernel moves one mapping only, and what was moved before is none with its neighbours. */
    CHECK(mmap(at(area, first), size, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at(area, first));
    note(area, first, count, WRITE);
    stamp(area, first, count);
    drop(area, first + count / 2, count / 5);
    memcpy(stamps, &area->stamps[first], count * sizeof(*stamps));
    moved =
        mremap(at(area, first), size, size + 5 * PAGE,
               MREMAP_MAYMOVE | (random_below(&area->random, 2) ? MREMAP_FIXED : 0), at(area, to));
    if (moved == MAP_FAILED) {
        CHECK(errno == EINVAL); /* they overlap */
        return;
    }
    if (moved == at(area, to)) {
        note(area, first, count, GONE);
        note(area, to, count + 5, WRITE);
        memcpy(&area->stamps[to], stamps, count * sizeof(*stamps));
        return;
    }
    if (moved == at(area, first)) {
        CHECK(munmap(moved + size, 5 * PAGE) == 0);
        return;
    }
    note(area, first, count, GONE);
    if (mremap(moved, size + 5 * PAGE, size, MREMAP_MAYMOVE | MREMAP_FIXED, at(area, to)) !=
        at(area, to))
        CHECK(false);
    note(area, to, count, WRITE);
    memcpy(&area->stamps[to], stamps, count * sizeof(*stamps));
}

static void check_fork(struct area *area)
{
    pid_t child = fork();

    if (child == 0) {
        verify(area, 0, PAGES);
        unmap(area, 100, 50);
        renew(area, 50, 200);
        stamp(area, 50, 200); /* the files are shared with the parent */
        verify(area, 0, 1000);
        _exit(0);
    }
    check_child(child);
}

static void step(struct area *area)
{
    static void (*const calls[])(struct area *, size_t, size_t) = {
        renew,      renew, unmap, protect, protect, drop, advise,
        place_file, move,  move,  stamp,   stamp,   stamp};
    size_t first = random_below(&area->random, PAGES - PIECE - 10);
    size_t count =
        1 + random_below(&area->random, random_below(&area->random, 3) ? 30 : PIECE - 10);

    calls[random_below(&area->random, sizeof(calls) / sizeof(*calls))](area, first, count);
    stamp(area, first, count);
    verify(area, first, count);
    verify_forbidden(area, first);
}

static void *work(void *argument)
{
    struct area *area = argument;

    for (int i = 0; i < STEPS; i++)
        step(area);
    verify(area, 0, PAGES);
    return NULL;
}

static void start(struct area *area, uint64_t seed)
{
    area->random.state = seed;
    area->file = memfd_create("area", 0);
    CHECK(area->file >= 0 && ftruncate(area->file, PIECE * PAGE) == 0);
    area->memory =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area->memory != MAP_FAILED);
    note(area, 0, PAGES, WRITE);
    stamp(area, 0, PAGES);
}

int main(int argc, char **argv)
{
    static struct area areas[THREADS];
    struct random random = random_start(argc, argv);
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        start(&areas[i], random_next(&random));
    check_fork(&areas[0]);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, &areas[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    check_fork(&areas[1]);
    for (int i = 0; i < THREADS; i++) {
        verify(&areas[i], 0, PAGES);
        CHECK(munmap(areas[i].memory, PAGES * PAGE) == 0);
    }
    if (preloaded())
        check_swapped();
    return 0;
}
