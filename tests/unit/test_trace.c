/* SPDX-License-Identifier: MIT */
/* The trace: rings lose nothing that they do not count, and the file has what was recorded. */
#include "observe/trace.h"

#include "base/meta.h"
#include "cmocka_all.h"
#include "observe/trace_ring.h"
#include "random.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRODUCERS 4
#define PUTS      100000

static struct trace_ring ring;
static struct random random_state;

static struct trace_record record_of(uint32_t thread, uint32_t number, uint8_t extra)
{
    return (struct trace_record){
        .time = number + 1, .thread = thread, .value = number, .extra = extra};
}

/* The data behind a record says whose it is. */
static bool put(uint32_t thread, uint32_t number, uint8_t extra)
{
    uint32_t data[TRACE_EXTRA_MAX * sizeof(struct trace_record) / 4];
    struct trace_record record = record_of(thread, number, extra);
    bool half_full;

    for (size_t i = 0; i < array_size(data); i++)
        data[i] = thread << 20 ^ number;
    return trace_ring_put(&ring, &record, data, &half_full);
}

/* Check what was fetched; returns the records in it. */
static uint32_t check(const struct trace_record *cells, uint32_t count, uint32_t *last)
{
    uint32_t records = 0;

    for (uint32_t i = 0; i < count; i += 1u + cells[i].extra, records++) {
        const uint32_t *data = (const void *)&cells[i + 1];
        assert_true(cells[i].extra <= TRACE_EXTRA_MAX);
        assert_int_equal(cells[i].time, cells[i].value + 1);
        assert_true(cells[i].value + 1 > last[cells[i].thread]);
        last[cells[i].thread] = cells[i].value + 1;
        for (uint32_t k = 0; k < cells[i].extra * 8u; k++)
            assert_int_equal(data[k], cells[i].thread << 20 ^ cells[i].value);
    }
    return records;
}

static void a_ring_gives_back_what_was_put_in_order(void **state)
{
    struct trace_record cells[TRACE_RING_RECORDS];
    uint32_t last[1] = {0}, had = 0, got = 0, lost = 0;

    memset(&ring, 0, sizeof(ring));
    for (uint32_t round = 0; round < 2000; round++) {
        for (uint64_t n = random_below(&random_state, 200); n; n--)
            lost += !put(0, had++, (uint8_t)random_below(&random_state, TRACE_EXTRA_MAX + 1));
        got += check(
            cells, trace_ring_fetch(&ring, cells, (uint32_t)random_below(&random_state, 500) + 10),
            last);
    }
    for (uint32_t n; (n = trace_ring_fetch(&ring, cells, TRACE_RING_RECORDS));)
        got += check(cells, n, last);
    assert_int_equal(ring.lost, lost);
    assert_true(lost > 0);
    assert_true(got > 1000);
    assert_int_equal(got + lost, had);
}

static void *produce(void *argument)
{
    uint32_t thread = (uint32_t)(uintptr_t)argument;

    for (uint32_t i = 0; i < PUTS; i++)
        if (!put(thread, i, (uint8_t)(i % (TRACE_EXTRA_MAX + 1))))
            sched_yield();
    return NULL;
}

static void threads_share_a_ring(void **state)
{
    static struct trace_record cells[TRACE_RING_RECORDS];
    pthread_t threads[PRODUCERS];
    uint32_t last[PRODUCERS] = {0}, got = 0;

    memset(&ring, 0, sizeof(ring));
    for (uintptr_t i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, (void *)i), 0);
    for (uint32_t n; got + ring.lost < PRODUCERS * PUTS;) {
        n = trace_ring_fetch(&ring, cells, TRACE_RING_RECORDS);
        got += check(cells, n, last);
    }
    for (unsigned i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(got + ring.lost, PRODUCERS * PUTS);
    assert_true(got > PUTS / 10);
}

/* What is fetched in time takes the same few cells again and again, and only these are charged. */
static void an_emptied_ring_touches_no_more_memory(void **state)
{
    struct trace_record cells[64];
    uint32_t last[1] = {0};
    uint64_t before = meta_charged();

    memset(&ring, 0, sizeof(ring));
    assert_false(trace_ring_is_used(&ring));
    for (uint32_t i = 0; i < 5 * TRACE_RING_RECORDS; i++) {
        assert_true(put(0, i, 0));
        if (i % 40 == 39)
            assert_int_equal(check(cells, trace_ring_fetch(&ring, cells, 64), last), 40);
    }
    assert_true(trace_ring_is_used(&ring));
    assert_int_equal(meta_charged() - before, PAGE_SIZE);
    for (size_t i = 0; i < TRACE_RING_RECORDS; i++)
        assert_true(i < 40 || ring.cells[i].thread + ring.cells[i].value == 0);
    while (trace_ring_fetch(&ring, cells, 64))
        continue;
    for (uint32_t i = 0; i < TRACE_RING_RECORDS; i++)
        assert_true(put(0, i, 0));
    assert_int_equal(meta_charged() - before, sizeof(ring));
}

/* ---- The file ---- */

static char trace_path[300];

static void no_regions(void)
{
}

static void levels(struct trace_levels *levels)
{
    *levels = (struct trace_levels){11, 12, 13, 14, 5, 6};
}

static const struct trace_source source = {0x100000000, levels, no_regions};

static void record_some(void)
{
    trace_map(512, 1024, 1, "a region");
    trace_fault(TRACE_FAULT_READ, 600, true, 0, NULL);
    for (uint32_t page = 700; page < 710; page++)
        trace_evict(page, 1);
    trace_drop(710, 1);
    trace_drop(900, 1);
    trace_flush();
}

/* Runs in a child, which ends as a process does that records, or is killed. */
static void trace_in_child(bool killed)
{
    pid_t child = fork();

    if (child == 0) {
        if (trace_start(trace_path, &source))
            _exit(1);
        record_some();
        if (killed) {
            usleep(300000);
            raise(SIGKILL);
        }
        trace_finish();
        _exit(0);
    }
    assert_true(waitpid(child, NULL, 0) == child);
}

/* All blocks of the file, which must be whole; returns the records, without the levels. */
static uint32_t read_file(const char *path, struct trace_record *records, uint32_t most)
{
    FILE *file = fopen(path, "rb");
    struct trace_header header;
    struct trace_block block;
    uint32_t count = 0;

    assert_non_null(file);
    assert_int_equal(fread(&header, sizeof(header), 1, file), 1);
    assert_int_equal(header.magic, TRACE_MAGIC);
    assert_int_equal(header.window_base, source.window_base);
    assert_int_equal(header.budget, 14 * PAGE_SIZE);
    assert_non_null(strstr(header.command, "test_trace"));
    while (fread(&block, sizeof(block), 1, file) == 1) {
        assert_int_equal(block.magic, TRACE_BLOCK_MAGIC);
        assert_int_equal(block.type, TRACE_RECORDS);
        assert_true(count + block.size / sizeof(*records) <= most);
        assert_int_equal(fread(records + count, 1, block.size, file), block.size);
        count += block.size / (uint32_t)sizeof(*records);
        assert_int_equal(records[count - 1].kind, TRACE_LEVELS); /* one ends each block */
        assert_int_equal(records[--count].pages, 12);
        assert_int_equal(records[--count].kind, TRACE_PACKED);
        assert_int_equal(records[count].page, 5);
        assert_int_equal(records[count].pages, 6);
    }
    assert_true(feof(file));
    fclose(file);
    return count;
}

static void expect_records(bool ended)
{
    static struct trace_record records[256];
    uint32_t count = read_file(trace_path, records, 256);

    assert_int_equal(count, ended ? 7 : 6);
    assert_int_equal(records[0].kind, TRACE_MAP);
    assert_int_equal(records[0].extra, 1);
    assert_string_equal((const char *)&records[1], "a region");
    assert_int_equal(records[2].kind, TRACE_FAULT_READ);
    assert_int_equal(records[2].page, 600);
    assert_int_equal(records[2].flags, TRACE_BY_WRITE | TRACE_BY_CALL);
    assert_int_equal(records[3].kind, TRACE_EVICT); /* ten in one */
    assert_int_equal(records[3].page, 700);
    assert_int_equal(records[3].pages, 10);
    assert_int_equal(records[4].kind, TRACE_DROP);
    assert_int_equal(records[5].kind, TRACE_DROP);
    assert_int_equal(records[5].page, 900);
    if (ended)
        assert_int_equal(records[6].kind, TRACE_END);
}

static void the_file_has_what_was_recorded(void **state)
{
    trace_in_child(false);
    expect_records(true);
}

static void a_killed_process_leaves_what_it_wrote(void **state)
{
    trace_in_child(true);
    expect_records(false);
}

static void a_file_that_cannot_be_is_an_error(void **state)
{
    assert_int_equal(trace_start("/nowhere/at/all", &source), -ENOENT);
    assert_false(trace_is_on());
}

/* A child that records has a file of its own; one that does not has none. */
static void a_child_has_a_file_of_its_own(void **state)
{
    static struct trace_record records[256];
    char path[340];
    pid_t parent = fork(), child = 0;
    int status;

    if (parent == 0) {
        if (trace_start(trace_path, &source))
            _exit(1);
        trace_evict(1, 1);
        trace_flush();
        for (int records_too = 0; records_too < 2; records_too++) {
            child = fork();
            if (child == 0) {
                trace_fork_child();
                if (records_too)
                    trace_unmap(77, 7);
                trace_finish();
                _exit(0);
            }
            waitpid(child, &status, 0);
            snprintf(path, sizeof(path), "%s.%d", trace_path, child);
            if (access(path, F_OK) != (records_too ? 0 : -1))
                _exit(2);
        }
        if (read_file(path, records, 256) < 2 || records[0].kind != TRACE_UNMAP ||
            records[0].page != 77)
            _exit(3);
        unlink(path);
        trace_finish();
        _exit(0);
    }
    assert_true(waitpid(parent, &status, 0) == parent);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_gives_back_what_was_put_in_order),
        cmocka_unit_test(threads_share_a_ring),
        cmocka_unit_test(an_emptied_ring_touches_no_more_memory),
        cmocka_unit_test(a_file_that_cannot_be_is_an_error),
        cmocka_unit_test(the_file_has_what_was_recorded),
        cmocka_unit_test(a_killed_process_leaves_what_it_wrote),
        cmocka_unit_test(a_child_has_a_file_of_its_own),
    };
    int failed;

    random_state = random_start(argc, argv);
    snprintf(trace_path, sizeof(trace_path), "%s/uswap-trace-%d", "/var/tmp", getpid());
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(trace_path);
    return failed;
}
