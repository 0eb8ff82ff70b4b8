/* SPDX-License-Identifier: MIT */
/* The library's own memory: reserved, filled when touched, shared, given back, charged. */
#include "base/meta.h"

#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (16 * PAGE_SIZE)

/* Pages of this process that are in memory. */
static long resident_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long resident = -1;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &resident), 1);
    fclose(file);
    return resident;
}

static void assert_zero(const char *memory, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(memory[i], 0);
}

static void a_reservation_is_zero_and_fills_when_touched(void **state)
{
    size_t size = 4 * TIB;
    long before = resident_pages();
    char *memory = meta_reserve(size);

    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % PAGE_SIZE, 0);
    for (size_t at = 0; at < size; at += size / 16) {
        assert_int_equal(memory[at], 0);
        memory[at] = 1;
    }
    assert_true(resident_pages() - before < 100);
    meta_release(memory, size);
}

/* Whether the kernel may use huge pages for the mapping that begins here. */
static bool huge_pages_refused(const void *address)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    bool here = false;
    bool refused = false;
    uintptr_t start, end;
    char line[512];

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            here = start <= (uintptr_t)address && (uintptr_t)address < end;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            refused = strstr(line, " nh") != NULL;
    }
    fclose(file);
    return refused;
}

static void sparse_metadata_gets_no_huge_pages(void **state)
{
    void *memory = meta_reserve(64 * MIB);

    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
        skip();
    assert_true(huge_pages_refused(memory));
    meta_release(memory, 64 * MIB);
}

static void what_cannot_be_reserved_is_null(void **state)
{
    assert_null(meta_reserve(0));
    assert_null(meta_reserve((size_t)1 << 60));
    assert_null(meta_reserve(SIZE_MAX));
    assert_null(meta_reserve_shared((size_t)1 << 60));
    meta_release(NULL, 0);
}

static void trimmed_pages_are_zero_and_gone(void **state)
{
    char *memory[] = {meta_reserve(SIZE), meta_reserve_shared(SIZE)};

    for (size_t i = 0; i < array_size(memory); i++) {
        unsigned char in_core[SIZE / PAGE_SIZE];
        assert_non_null(memory[i]);
        memset(memory[i], 'x', SIZE);
        meta_trim(memory[i] + 1, SIZE - 2);
        assert_int_equal(mincore(memory[i], SIZE, in_core), 0);
        assert_int_equal(in_core[0] & 1, 1);
        assert_int_equal(in_core[1] & 1, 0);
        assert_int_equal(memory[i][PAGE_SIZE - 1], 'x');
        assert_int_equal(memory[i][SIZE - PAGE_SIZE], 'x');
        assert_zero(memory[i] + PAGE_SIZE, SIZE - 2 * PAGE_SIZE);
        meta_release(memory[i], SIZE);
    }
}

static void less_than_a_page_is_not_trimmed(void **state)
{
    char *memory = meta_reserve(SIZE);

    memset(memory, 'x', SIZE);
    meta_trim(memory + 1, PAGE_SIZE);
    meta_trim(memory + 1, 0);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(memory[i], 'x');
    meta_release(memory, SIZE);
}

/* Runs this in a child; returns its wait status. */
static int in_child(void (*run)(char *), char *memory)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        alarm(10);
        signal(SIGSEGV, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        run(memory);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void write_to(char *memory)
{
    *(volatile char *)memory = 'c';
}

static void children_share_only_what_is_shared(void **state)
{
    char *mine = meta_reserve(SIZE);
    char *shared = meta_reserve_shared(SIZE);

    assert_int_equal(in_child(write_to, mine), 0);
    assert_int_equal(in_child(write_to, shared), 0);
    assert_int_equal(mine[0], 0);
    assert_int_equal(shared[0], 'c');
    meta_release(mine, SIZE);
    meta_release(shared, SIZE);
}

static void released_memory_is_gone(void **state)
{
    char *memory = meta_reserve(SIZE - 1);
    int status;

    memory[0] = 1;
    meta_release(memory, SIZE - 1);
    status = in_child(write_to, memory + SIZE - PAGE_SIZE);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void charges_add_up(void **state)
{
    uint64_t before = meta_charged();

    meta_charge(3 * PAGE_SIZE);
    assert_int_equal(meta_charged(), before + 3 * PAGE_SIZE);
    meta_charge(-(int64_t)(3 * PAGE_SIZE));
    assert_int_equal(meta_charged(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reservation_is_zero_and_fills_when_touched),
        cmocka_unit_test(sparse_metadata_gets_no_huge_pages),
        cmocka_unit_test(what_cannot_be_reserved_is_null),
        cmocka_unit_test(trimmed_pages_are_zero_and_gone),
        cmocka_unit_test(less_than_a_page_is_not_trimmed),
        cmocka_unit_test(children_share_only_what_is_shared),
        cmocka_unit_test(released_memory_is_gone),
        cmocka_unit_test(charges_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
