/* SPDX-License-Identifier: MIT */
/* The page mask: content changes place whole, or the caller is told how far it came. */
#include "mask/mask.h"

#include "cmocka_all.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES 200u
#define SIZE  (PAGES * PAGE_SIZE)

static char *here;
static char *there;

static char *area(void)
{
    char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_int_equal(mask_cover(memory, SIZE), 0);
    return memory;
}

static int start(void **state)
{
    const char *reason;

    assert_int_equal(mask_start(&reason), 0);
    here = area();
    there = area();
    return 0;
}

static void fill_pages(char *memory, unsigned count)
{
    assert_int_equal(mask_fill_zero(memory, count * PAGE_SIZE), 0);
    for (unsigned i = 0; i < count; i++)
        memory[i * PAGE_SIZE] = (char)(i + 1);
}

static void expect_pages(const char *memory, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_true(mask_present(memory + i * PAGE_SIZE));
        assert_int_equal(memory[i * PAGE_SIZE], (char)(i + 1));
    }
}

static int drop_all(void **state)
{
    mask_drop(here, SIZE);
    mask_drop(there, SIZE);
    return 0;
}

static struct mask_span all_of(char *memory)
{
    return (struct mask_span){memory, SIZE, MASK_FRAMES};
}

static void pages_change_place(void **state)
{
    struct mask_span source = all_of(here);
    size_t moved;

    fill_pages(here, PAGES);
    assert_int_equal(mask_move(there, &source, &moved), 0);
    assert_int_equal(moved, SIZE);
    expect_pages(there, PAGES);
    for (unsigned i = 0; i < PAGES; i++)
        assert_false(mask_present(here + i * PAGE_SIZE));
}

/* As a kernel leaves it that tries a run again after it moved it. */
static void what_was_moved_already_counts_as_moved(void **state)
{
    struct mask_span source = all_of(here);
    size_t moved;

    fill_pages(here, PAGES);
    for (unsigned count = 1; count < PAGES; count *= 3) {
        struct mask_span part = {here, count * PAGE_SIZE, MASK_FRAMES};
        struct mask_span back = all_of(there);
        assert_int_equal(mask_move(there, &part, &moved), 0);
        assert_int_equal(mask_move(there, &source, &moved), 0);
        assert_int_equal(moved, SIZE);
        expect_pages(there, PAGES);
        assert_int_equal(mask_move(here, &back, &moved), 0);
        expect_pages(here, PAGES);
    }
}

static void a_page_in_the_way_stops_the_move(void **state)
{
    struct mask_span source = all_of(here);
    size_t moved;

    fill_pages(here, PAGES);
    assert_int_equal(mask_fill_zero(there + 5 * PAGE_SIZE, PAGE_SIZE), 0);
    assert_int_equal(mask_move(there, &source, &moved), -EEXIST);
    assert_int_equal(moved, 5 * PAGE_SIZE);
    expect_pages(there, 5);
    assert_int_equal(here[5 * PAGE_SIZE], 6);
    assert_int_equal(there[5 * PAGE_SIZE], 0);
}

static void what_is_missing_becomes_zeros(void **state)
{
    struct mask_span source = all_of(here);
    size_t moved;

    fill_pages(here, 10);
    assert_int_equal(mask_move(there, &source, &moved), 0);
    assert_int_equal(moved, SIZE);
    expect_pages(there, 10);
    for (unsigned i = 10; i < PAGES; i++)
        assert_int_equal(there[i * PAGE_SIZE], 0);
}

/* Each third page is dropped, and no other; so many by a call. */
static void drop_a_third(unsigned together)
{
    struct iovec ranges[MASK_DROPS];

    fill_pages(here, 3 * MASK_DROPS);
    for (unsigned i = 0; i < MASK_DROPS; i++)
        ranges[i] = (struct iovec){here + 3 * (size_t)i * PAGE_SIZE, PAGE_SIZE};
    for (unsigned i = 0; i < MASK_DROPS; i += together)
        mask_drop_ranges(&ranges[i], together);
    for (unsigned i = 0; i < 3 * MASK_DROPS; i++) {
        assert_int_equal(mask_present(here + i * PAGE_SIZE), i % 3 != 0);
        if (i % 3)
            assert_int_equal(here[i * PAGE_SIZE], (char)(i + 1));
    }
    mask_drop(here, SIZE);
}

static _Atomic bool spinning;

static void *spin(void *argument)
{
    while (atomic_load(&spinning))
        ;
    return NULL;
}

/* Also where a thread on another CPU makes each call slow. */
static void pages_here_and_there_are_dropped(void **state)
{
    pthread_t thread;

    drop_a_third(1);
    drop_a_third(MASK_DROPS);
    atomic_store(&spinning, true);
    assert_int_equal(pthread_create(&thread, NULL, spin, NULL), 0);
    for (unsigned i = 0; i < 10; i++) {
        drop_a_third(1);
        drop_a_third(MASK_DROPS);
    }
    atomic_store(&spinning, false);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(pages_change_place, drop_all),
        cmocka_unit_test_teardown(what_was_moved_already_counts_as_moved, drop_all),
        cmocka_unit_test_teardown(a_page_in_the_way_stops_the_move, drop_all),
        cmocka_unit_test_teardown(what_is_missing_becomes_zeros, drop_all),
        cmocka_unit_test_teardown(pages_here_and_there_are_dropped, drop_all),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
