/* SPDX-License-Identifier: MIT */
/*
 * What parent and child have only read is clean in the parent alone, for the protection does not
 * come along with fork. Both go on to read and change pages at random, and so does a chain of
 * children; nobody loses a change or sees that of another. Argument: the seed.
 */
#include "heap_test.h"
#include "random.h"

#include <string.h>
#include <unistd.h>

#define PAGE        4096u
#define PAGES       (48u << 20 >> 12)
#define STEPS       4000u
#define GENERATIONS 6u

static char *set;
static uint16_t *changes;

static uint64_t *page_at(size_t page)
{
    return (uint64_t *)(void *)(set + page * PAGE);
}

static uint64_t content(size_t page)
{
    return (page + 1) * 0x9e3779b97f4a7c15 + changes[page];
}

static void write_page(size_t page)
{
    page_at(page)[0] = page_at(page)[PAGE / 8 - 1] = content(page);
}

static void check_page(size_t page)
{
    CHECK(page_at(page)[0] == content(page));
    CHECK(page_at(page)[PAGE / 8 - 1] == content(page));
}

/* One of so many pages that are read is written to; 0: none. */
static void walk(struct random *random, unsigned one_of)
{
    for (unsigned i = 0; i < STEPS; i++) {
        size_t page = random_below(random, PAGES);

        check_page(page);
        if (one_of && random_below(random, one_of) == 0) {
            changes[page]++;
            write_page(page);
        }
    }
}

/* Each generation reads, so that much is clean, makes the next one, and changes its own copy
 * meanwhile. */
static void live(struct random *random, unsigned generations)
{
    pid_t child = 0;

    walk(random, 0);
    if (generations) {
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            random_next(random);
            walk(random, 4);
            live(random, generations - 1);
            _exit(0);
        }
    }
    walk(random, 4);
    for (size_t page = 0; page < PAGES; page++)
        check_page(page);
    if (child)
        check_child(child);
}

int main(int argc, char **argv)
{
    struct random random = random_start(argc, argv);

    set = aligned_alloc(PAGE, (size_t)PAGES * PAGE);
    changes = calloc(PAGES, sizeof(*changes));
    CHECK(set && changes);
    for (size_t page = 0; page < PAGES; page++)
        write_page(page);
    live(&random, GENERATIONS);
    check_swapped();
    CHECK(stats_now().objects_dropped_clean > 0);
    return 0;
}
