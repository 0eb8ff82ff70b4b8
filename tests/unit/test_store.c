/* SPDX-License-Identifier: MIT */
/* The IO part as a whole, on real files, devices and file systems that fill up. */
#include "store/store.h"

#include "base/lock.h"
#include "cmocka_all.h"
#include "observe/status.h"
#include "random.h"
#include "scratch.h"
#include "store/inject.h"
#include "store/stores.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define THREADS 4
#define RUNS    24 /* that one thread keeps */
#define TURNS   600

static struct random seeded;
static struct scratch scratch;

/*
 * Pages of their own mapping: a child that was forked beside other threads must not wait for a lock
 * that one of them held, and the sanitizers' malloc has such locks.
 */
static char *get_pages(size_t count)
{
    char *pages =
        mmap(NULL, count * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

/* A run of slots with known content. */
struct run {
    struct store_write write; /* first: done() gets it */
    _Atomic uint32_t ended;
    int error;
    uint64_t seed;
    char *content;
};

static void open_store(const char *path, uint64_t size)
{
    struct uswap_store_options options = {path, size};

    assert_int_equal(store_open(&options, 1), 0);
}

static int set_up(void **state)
{
    return scratch_make(&scratch);
}

static int set_up_store(void **state)
{
    if (scratch_make(&scratch))
        return -1;
    open_store(scratch.directory, 512 * MIB);
    return store_reserve(256 * MIB);
}

static int tear_down(void **state)
{
    inject_set(NULL);
    if (stores_count)
        store_close();
    return scratch_remove(&scratch);
}

static void run_ended(struct store_write *write, int error)
{
    struct run *run = (struct run *)write;

    run->error = error;
    atomic_store(&run->ended, 1);
    futex_wake_all(&run->ended);
}

static void fill(char *page, uint64_t seed, unsigned index)
{
    struct random random = {seed + index};

    for (size_t at = 0; at < PAGE_SIZE; at += sizeof(uint64_t))
        memcpy(page + at, &(uint64_t){random_next(&random)}, sizeof(uint64_t));
}

/* Take up to want slots and start to write random content; the buffers are scattered pages. */
static int start_run(struct run *run, unsigned want, uint64_t seed)
{
    int error = store_take_slots(want, &run->write.first, &run->write.count);

    if (error)
        return error;
    run->seed = seed;
    run->content = get_pages(2 * run->write.count);
    for (unsigned i = 0; i < run->write.count; i++) {
        char *page = run->content + 2 * i * PAGE_SIZE;

        fill(page, seed, i);
        run->write.buffers[i] = (struct iovec){page, PAGE_SIZE};
    }
    run->write.buffer_count = run->write.count;
    run->write.done = run_ended;
    atomic_store(&run->ended, 0);
    store_submit(&run->write);
    return 0;
}

static int finish_run(struct run *run)
{
    while (!atomic_load(&run->ended))
        futex_wait(&run->ended, 0, 0);
    munmap(run->content, 2 * run->write.count * PAGE_SIZE);
    run->content = NULL;
    return run->error;
}

static int write_run(struct run *run, unsigned want, uint64_t seed)
{
    int error = start_run(run, want, seed);

    return error ? error : finish_run(run);
}

/* Whether slots of a run, read in one go into memory in two parts, hold what was written. */
static int check_part(const struct run *run, unsigned first, unsigned count)
{
    char *memory = get_pages(count);
    unsigned half = count / 2;
    struct iovec buffers[2] = {{memory, half * PAGE_SIZE},
                               {memory + half * PAGE_SIZE, (count - half) * PAGE_SIZE}};
    int error = half ? store_read(run->write.first + first, buffers, 2)
                     : store_read(run->write.first + first, buffers + 1, 1);

    for (unsigned i = 0; i < count && !error; i++) {
        char expected[PAGE_SIZE];

        fill(expected, run->seed, first + i);
        if (memcmp(expected, memory + i * PAGE_SIZE, PAGE_SIZE) != 0)
            error = -EILSEQ;
    }
    munmap(memory, count * PAGE_SIZE);
    return error;
}

static int check_run(const struct run *run)
{
    return check_part(run, 0, run->write.count);
}

static void each_slot(const struct run *run, void (*change)(const slot_t *, size_t))
{
    slot_t slots[STORE_RUN_MAX];

    for (unsigned i = 0; i < run->write.count; i++)
        slots[i] = run->write.first + i;
    change(slots, run->write.count);
}

static void drop_run(const struct run *run)
{
    each_slot(run, store_drop_references);
}

/* ---- content ---- */

/* Writes, reads and drops runs at random; checks everything. Several at a time. */
static void *use_store(void *argument)
{
    struct random random = {*(uint64_t *)argument};
    struct run *runs = calloc(RUNS, sizeof(*runs));
    intptr_t wrong = 0;

    for (unsigned turn = 0; turn < TURNS; turn++) {
        struct run *run = &runs[random_below(&random, RUNS)];
        unsigned count = run->write.count;

        if (count == 0) {
            unsigned want = 1 + (unsigned)random_below(&random, STORE_RUN_MAX >> turn % 8);

            wrong += write_run(run, want, random_next(&random)) != 0;
        } else if (random_below(&random, 2)) {
            unsigned first = (unsigned)random_below(&random, count);

            wrong += check_part(run, first, 1 + (unsigned)random_below(&random, count - first));
        } else {
            wrong += check_run(run) != 0;
            drop_run(run);
            run->write.count = 0;
        }
    }
    for (unsigned i = 0; i < RUNS; i++)
        if (runs[i].write.count)
            drop_run(&runs[i]);
    free(runs);
    return (void *)wrong;
}

static void use_store_in_threads(void)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    void *wrong;

    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = random_next(&seeded);
        pthread_create(&threads[i], NULL, use_store, &seeds[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static void expect_nothing_left(void)
{
    assert_int_equal(store_used(), 0);
    assert_int_equal(store_writes_in_flight(), 0);
}

static void what_is_read_is_what_was_written(void **state)
{
    use_store_in_threads();
    expect_nothing_left();
    assert_int_equal(scratch.messages, 0);
}

static void without_io_uring_too(void **state)
{
    setenv("USWAP_IO", "sync", 1);
    open_store(scratch.directory, 512 * MIB);
    unsetenv("USWAP_IO");
    assert_int_equal(store_reserve(256 * MIB), 0);
    use_store_in_threads();
    expect_nothing_left();
}

static void short_and_interrupted_transfers_do_no_harm(void **state)
{
    struct inject plan = {.writes = true, .count = UINT64_MAX, .most = 3 * PAGE_SIZE + 512};

    inject_set(&plan);
    use_store_in_threads();
    expect_nothing_left();
    plan = (struct inject){.count = UINT64_MAX, .most = PAGE_SIZE + 512};
    use_store_in_threads();
    expect_nothing_left();
}

static void a_block_device_is_a_store(void **state)
{
    char device[64];

    if (!scratch_loop(&scratch, 512, device))
        skip();
    open_store(device, 0);
    assert_int_equal(store_reserve(256 * MIB), 0);
    use_store_in_threads();
    expect_nothing_left();
    assert_int_equal(store_reserve(0), 0);
    store_close();
    scratch_unloop(device);
}

/* A file system with neither direct IO nor fallocate(). */
static void a_poor_file_system_is_a_store(void **state)
{
    char command[512];
    const char *where = scratch.directory;

    snprintf(command, sizeof(command),
             "cd %s && mkdir ram low && mount -t ramfs none ram && mkdir ram/up ram/work ram/m &&"
             "mount -t overlay -o lowerdir=low,upperdir=ram/up,workdir=ram/work none ram/m"
             " 2>/dev/null",
             where);
    if (geteuid() == 0 && scratch_run(command, NULL, 0) == 0) {
        open_store(scratch_path(&scratch, "ram/m"), 512 * MIB);
        assert_false(stores[0].file.direct);
        assert_false(stores[0].file.ram);
        assert_int_equal(store_reserve(256 * MIB), 0);
        assert_false(stores[0].file.allocates);
        assert_int_equal(scratch.messages, 2);
        use_store_in_threads();
        expect_nothing_left();
        store_close();
    }
    snprintf(command, sizeof(command), "umount %s/ram/m %s/ram 2>/dev/null", where, where);
    scratch_run(command, NULL, 0);
}

/* ---- errors ---- */

static void errors_reach_the_caller(void **state)
{
    static struct run run, failing;
    struct inject plan = {.writes = true, .count = 1, .error = -EIO};

    inject_set(&plan);
    assert_int_equal(write_run(&failing, 8, 1), -EIO);
    store_retire_slots(failing.write.first, failing.write.count);
    assert_int_equal(write_run(&run, 8, 2), 0);
    assert_true(run.write.first != failing.write.first);
    plan = (struct inject){.count = 1, .error = -EIO};
    assert_int_equal(check_run(&run), -EIO);
    assert_int_equal(check_run(&run), 0);
    assert_int_equal(store_used(), 8 * PAGE_SIZE);
}

static void retired_slots_never_come_back(void **state)
{
    static struct run run;
    slot_t first, bad;
    unsigned count;

    assert_int_equal(write_run(&run, 8, 1), 0);
    bad = run.write.first;
    store_retire_slots(bad, 8);
    while (store_take_slots(STORE_RUN_MAX, &first, &count) == 0)
        assert_true(first + count <= bad || first >= bad + 8);
}

static void a_store_that_fails_is_given_up_for_the_next(void **state)
{
    struct uswap_store_options options[2] = {{scratch.directory, 128 * MIB},
                                             {scratch.directory, 128 * MIB}};
    struct inject plan = {.writes = true, .count = 4, .error = -EIO};
    static struct run before, run;

    assert_int_equal(store_open(options, 2), 0);
    assert_int_equal(store_reserve(100 * MIB), 0);
    assert_int_equal(write_run(&before, 8, 1), 0);
    inject_set(&plan);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(write_run(&run, 8, 2), -EIO);
        store_retire_slots(run.write.first, 8);
    }
    assert_true(scratch_said(&scratch, "nothing more is written there"));
    assert_int_equal(store_reserve(120 * MIB), 0);
    assert_int_equal(write_run(&run, 8, 3), 0);
    assert_true(run.write.first / UNIT_SLOTS >= stores[1].first_unit);
    assert_int_equal(check_run(&run), 0);
    assert_int_equal(check_run(&before), 0);
    drop_run(&before);
    drop_run(&run);
    assert_int_equal(store_used(), 0);
}

/* ---- space ---- */

static void a_full_store_says_so(void **state)
{
    slot_t first, last = SLOT_NONE;
    uint64_t taken = 0;
    unsigned count;

    store_close();
    open_store(scratch.directory, 64 * MIB);
    assert_int_equal(store_capacity(), 64 * MIB - PAGE_SIZE);
    assert_int_equal(store_reserve(64 * MIB), -ENOSPC);
    assert_int_equal(store_reserve(64 * MIB - PAGE_SIZE), 0);
    while (store_take_slots(STORE_RUN_MAX, &first, &count) == 0) {
        last = first + count - 1;
        taken += count;
    }
    assert_int_equal(taken, store_capacity() / PAGE_SIZE);
    assert_int_equal(store_used(), store_capacity());
    assert_int_equal(store_free_slots(), 0);
    store_drop_references(&last, 1);
    assert_int_equal(store_take_slots(7, &first, &count), 0);
    assert_int_equal(first, last);
    assert_int_equal(count, 1);
}

static void only_reserved_slots_are_handed_out(void **state)
{
    slot_t first;
    unsigned count;

    open_store(scratch.directory, 512 * MIB);
    assert_int_equal(store_take_slots(1, &first, &count), -ENOSPC);
    assert_int_equal(store_reserve(1), 0);
    assert_int_equal(store_take_slots(1, &first, &count), 0);
}

static void more_than_was_reserved_can_be_asked_for(void **state)
{
    slot_t first;
    unsigned count;

    open_store(scratch.directory, 512 * MIB);
    for (unsigned i = 0; i < 8; i++)
        store_ask_for_more();
    for (unsigned wait = 0; wait < 1000 && !store_free_slots(); wait++)
        usleep(5000);
    assert_int_equal(store_take_slots(STORE_RUN_MAX, &first, &count), 0);
}

static uint64_t blocks_of(unsigned store)
{
    struct stat status;

    assert_int_equal(fstat(stores[store].file.fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static void what_is_reserved_is_allocated_and_given_back(void **state)
{
    slot_t slots[STORE_RUN_MAX];
    unsigned count;

    open_store(scratch.directory, 2 * GIB);
    assert_int_equal(store_reserve(GIB), 0);
    assert_true(blocks_of(0) >= GIB);
    assert_int_equal(store_take_slots(1, slots, &count), 0);
    assert_int_equal(store_reserve(0), 0);
    for (unsigned wait = 0; wait < 1000 && blocks_of(0) > 300 * MIB; wait++)
        usleep(5000);
    assert_true(blocks_of(0) <= 300 * MIB);
    assert_int_equal(store_reserve(GIB), 0);
    assert_true(blocks_of(0) >= GIB);
    store_drop_references(slots, 1);
}

static void the_impossible_does_not_fill_the_disk(void **state)
{
    open_store(scratch.directory, 100 * TIB);
    assert_true(store_capacity() <= 16 * TIB);
    assert_int_equal(store_reserve(15 * TIB), -ENOSPC);
    assert_true(blocks_of(0) < MIB);
    assert_int_equal(store_reserve(64 * MIB), 0);
}

/* An ext4 of so many MiB in scratch/mount. */
static bool mount_small(unsigned mib, char device[64])
{
    char command[512];

    if (!scratch_loop(&scratch, mib, device))
        return false;
    snprintf(command, sizeof(command),
             "mkfs.ext4 -q -O ^has_journal %s 2>/dev/null && mkdir %s/mount && mount %s %s/mount",
             device, scratch.directory, device, scratch.directory);
    if (scratch_run(command, NULL, 0) == 0)
        return true;
    scratch_unloop(device);
    return false;
}

static void unmount_small(const char *device)
{
    char command[128];

    snprintf(command, sizeof(command), "umount %s/mount", scratch.directory);
    assert_int_equal(scratch_run(command, NULL, 0), 0);
    scratch_unloop(device);
}

/* Write until the file system is full. */
static void fill_disk(void)
{
    static const char block[MIB];
    int fd = open(scratch_path(&scratch, "mount/other"), O_WRONLY | O_CREAT, 0600);
    size_t size = sizeof(block);

    assert_true(fd >= 0);
    while (size >= 512)
        if (write(fd, block, size) <= 0)
            size /= 2;
    fsync(fd);
    close(fd);
}

static void a_disk_that_fills_up_does_not_fail_reserved_writes(void **state)
{
    enum { MANY = 40 * MIB / PAGE_SIZE / 64 };
    static struct run runs[MANY];
    char device[64];

    if (!mount_small(100, device))
        skip();
    open_store(scratch_path(&scratch, "mount"), 200 * MIB);
    assert_int_equal(store_reserve(40 * MIB), 0);
    fill_disk();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MANY; i++)
            assert_int_equal(write_run(&runs[i], 64, i + round), 0);
        for (unsigned i = 0; i < MANY; i++) {
            assert_int_equal(check_run(&runs[i]), 0);
            drop_run(&runs[i]);
        }
    }
    assert_int_equal(store_reserve(89 * MIB), -ENOSPC);
    assert_true(blocks_of(0) < slot_in_service() * PAGE_SIZE + MIB);
    assert_int_equal(write_run(&runs[0], 64, 1), 0);
    store_close();
    unmount_small(device);
}

static void stores_follow_one_another(void **state)
{
    struct uswap_store_options options[3];
    char buffer[128], expected[128];
    slot_t first;
    unsigned count;

    for (unsigned i = 0; i < 3; i++)
        options[i] = (struct uswap_store_options){scratch.directory, (3 + i) * MIB + PAGE_SIZE};
    assert_int_equal(store_open(options, 3), 0);
    assert_int_equal(store_capacity(), 12 * MIB);
    assert_int_equal(store_reserve(12 * MIB), 0);
    for (uint64_t taken = 0; taken < 12 * MIB / PAGE_SIZE; taken += count)
        assert_int_equal(store_take_slots(STORE_RUN_MAX, &first, &count), 0);
    assert_int_equal(store_take_slots(1, &first, &count), -ENOSPC);
    snprintf(expected, sizeof(expected), "%s offset 8192", scratch.directory);
    assert_string_equal(store_describe(stores[2].first_unit * UNIT_SLOTS + 2, buffer, 128),
                        expected);
}

static void a_store_that_cannot_be_opened_is_an_error(void **state)
{
    struct uswap_store_options options[2] = {{scratch.directory, 16 * MIB}, {"/no/such/file", 0}};

    assert_int_equal(store_open(options, 2), -ENOENT);
    assert_int_equal(stores_count, 0);
    assert_true(scratch_said(&scratch, "--swap /no/such/file: directory does not exist"));
    open_store(scratch.directory, 16 * MIB);
}

/* ---- processes ---- */

static void expect_good_end(pid_t child)
{
    int status = -1;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void fork_prepare(void)
{
    assert_int_equal(store_fork_admit(), 0);
    store_fork_prepare();
}

static void parent_and_child_share_what_was_written(void **state)
{
    static struct run shared, own;
    pid_t child;

    assert_int_equal(write_run(&shared, 64, 1), 0);
    fork_prepare();
    child = fork();
    if (child == 0) {
        store_fork_child();
        if (check_run(&shared) || write_run(&own, 32, 2) || check_run(&own))
            _exit(1);
        drop_run(&shared);
        drop_run(&own);
        _exit(check_run(&shared) ? 2 : 0);
    }
    store_fork_parent();
    assert_int_equal(write_run(&own, 32, 3), 0);
    expect_good_end(child);
    assert_int_equal(check_run(&own), 0);
    assert_int_equal(check_run(&shared), 0);
    assert_int_equal(store_used(), 96 * PAGE_SIZE);
    drop_run(&own);
    drop_run(&shared);
    assert_int_equal(store_used(), 0);
}

static void the_last_reference_frees_in_the_child_too(void **state)
{
    static struct run run;
    pid_t child;

    assert_int_equal(write_run(&run, 64, 1), 0);
    fork_prepare();
    child = fork();
    if (child == 0) {
        store_fork_child();
        usleep(20000);
        if (store_used() != 64 * PAGE_SIZE || check_run(&run))
            _exit(1);
        drop_run(&run);
        _exit(store_used() ? 2 : 0);
    }
    store_fork_parent();
    drop_run(&run);
    assert_int_equal(store_used(), 64 * PAGE_SIZE);
    expect_good_end(child);
    assert_int_equal(store_used(), 0);
}

static void *fork_again_and_again(void *unused)
{
    intptr_t wrong = 0;

    for (unsigned i = 0; i < 30; i++) {
        pid_t child;
        int status = -1;

        fork_prepare();
        wrong += store_writes_in_flight() != 0;
        child = fork();
        if (child == 0) {
            static struct run run;

            store_fork_child();
            if (write_run(&run, 100, i) || check_run(&run))
                _exit(1);
            drop_run(&run);
            _exit(0);
        }
        store_fork_parent();
        waitpid(child, &status, 0);
        wrong += status != 0;
    }
    store_reap();
    return (void *)wrong;
}

static void fork_under_load_loses_nothing(void **state)
{
    pthread_t forker;
    void *wrong;

    pthread_create(&forker, NULL, fork_again_and_again, NULL);
    use_store_in_threads();
    pthread_join(forker, &wrong);
    assert_null(wrong);
    expect_nothing_left();
}

static void nothing_is_left_after_kill(void **state)
{
    static struct run run;
    pid_t child = fork();

    if (child == 0) {
        open_store(scratch.directory, 512 * MIB);
        if (store_reserve(256 * MIB))
            _exit(1);
        for (uint64_t seed = 0;; seed++)
            if (write_run(&run, STORE_RUN_MAX, seed))
                _exit(1);
    }
    usleep(200000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(scratch_entries(&scratch), 0);
}

static void a_wrong_engine_is_named(void **state)
{
    setenv("USWAP_IO", "magic", 1);
    open_store(scratch.directory, 16 * MIB);
    unsetenv("USWAP_IO");
    assert_true(scratch_said(&scratch, "USWAP_IO=magic"));
}

#define TEST(name)       cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_store, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_read_is_what_was_written),
        TEST(without_io_uring_too),
        STORE_TEST(short_and_interrupted_transfers_do_no_harm),
        TEST(a_block_device_is_a_store),
        TEST(a_poor_file_system_is_a_store),
        STORE_TEST(errors_reach_the_caller),
        STORE_TEST(retired_slots_never_come_back),
        TEST(a_store_that_fails_is_given_up_for_the_next),
        STORE_TEST(a_full_store_says_so),
        TEST(only_reserved_slots_are_handed_out),
        TEST(more_than_was_reserved_can_be_asked_for),
        TEST(what_is_reserved_is_allocated_and_given_back),
        TEST(the_impossible_does_not_fill_the_disk),
        TEST(a_disk_that_fills_up_does_not_fail_reserved_writes),
        TEST(stores_follow_one_another),
        TEST(a_store_that_cannot_be_opened_is_an_error),
        STORE_TEST(parent_and_child_share_what_was_written),
        STORE_TEST(the_last_reference_frees_in_the_child_too),
        STORE_TEST(fork_under_load_loses_nothing),
        TEST(nothing_is_left_after_kill),
        TEST(a_wrong_engine_is_named),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
