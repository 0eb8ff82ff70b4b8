/* SPDX-License-Identifier: MIT */
/* Transfers by both engines and without thread: content, short transfers, errors, hosts that
 * forbid. */
#include "store/io.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/lock.h"
#include "cmocka_all.h"
#include "forbid.h"
#include "random.h"
#include "scratch.h"
#include "store/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BUFFERS 16u
#define LENGTH  (64 * KIB)
#define MANY    200u

static struct random seeded;
static struct scratch scratch;
static int fd;
static enum io_engine engine;

/* A request with memory of its own, and what came of it. */
struct transfer {
    struct io_request request; /* first: complete() gets it */
    struct iovec buffers[BUFFERS];
    _Atomic uint32_t ended;
    int error;
    char content[LENGTH] __attribute__((aligned(4096)));
};

static struct transfer transfers[MANY];

static int set_up(void **state)
{
    if (scratch_make(&scratch) || io_start(engine))
        return -1;
    fd = open(scratch_path(&scratch, "file"), O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
    if (fd < 0)
        return -1;
    fd = fd_move_high(fd);
    return posix_fallocate(fd, 0, MANY * LENGTH);
}

static int tear_down(void **state)
{
    inject_set(NULL);
    io_stop();
    fd_close(fd);
    return scratch_remove(&scratch);
}

static void ended(struct io_request *request, int error)
{
    struct transfer *transfer = (void *)request;

    transfer->error = error;
    atomic_store(&transfer->ended, 1);
    futex_wake_all(&transfer->ended);
}

/* Buffers of random lengths, one behind the other: the alignment of O_DIRECT asks for 512. */
static void split(struct transfer *transfer)
{
    size_t at = 0;

    transfer->request.buffer_count = 0;
    for (unsigned i = 0; i < BUFFERS; i++) {
        size_t left = LENGTH - at;
        size_t length = i + 1 == BUFFERS ? left : 512 * random_below(&seeded, 8);

        if (length == 0)
            continue;
        transfer->buffers[transfer->request.buffer_count++] =
            (struct iovec){transfer->content + at, length};
        at += length;
    }
}

static struct transfer *make_transfer(unsigned number, enum io_kind kind)
{
    struct transfer *transfer = &transfers[number];

    transfer->request = (struct io_request){.kind = kind,
                                            .fd = fd,
                                            .offset = number * LENGTH,
                                            .length = LENGTH,
                                            .buffers = transfer->buffers,
                                            .complete = ended};
    atomic_store(&transfer->ended, 0);
    split(transfer);
    return transfer;
}

static void fill(struct transfer *transfer)
{
    for (size_t i = 0; i < LENGTH; i += sizeof(uint64_t))
        memcpy(transfer->content + i, &(uint64_t){random_next(&seeded)}, sizeof(uint64_t));
}

static int wait_for(struct transfer *transfer)
{
    while (!atomic_load(&transfer->ended))
        futex_wait(&transfer->ended, 0, 0);
    return transfer->error;
}

static int hand_over(struct transfer *transfer)
{
    io_submit(&transfer->request);
    return wait_for(transfer);
}

static void expect_on_disk(const struct transfer *transfer)
{
    static char content[LENGTH] __attribute__((aligned(4096)));

    assert_int_equal(pread(fd, content, LENGTH, (off_t)transfer->request.offset), LENGTH);
    assert_memory_equal(content, transfer->content, LENGTH);
}

static void what_is_handed_over_is_written(void **state)
{
    for (unsigned i = 0; i < MANY; i++) {
        fill(make_transfer(i, IO_WRITE));
        io_submit(&transfers[i].request);
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(wait_for(&transfers[i]), 0);
    for (unsigned i = 0; i < MANY; i++)
        expect_on_disk(&transfers[i]);
}

static void reads_can_be_handed_over_too(void **state)
{
    struct transfer *from = make_transfer(0, IO_WRITE);
    struct transfer *to;

    fill(from);
    assert_int_equal(hand_over(from), 0);
    to = make_transfer(1, IO_READ);
    to->request.offset = 0;
    assert_int_equal(hand_over(to), 0);
    assert_memory_equal(to->content, from->content, LENGTH);
}

static void the_caller_can_transfer_by_itself(void **state)
{
    struct transfer *transfer = make_transfer(0, IO_WRITE);

    fill(transfer);
    assert_int_equal(io_run(&transfer->request), 0);
    expect_on_disk(transfer);
}

static void short_transfers_are_resumed(void **state)
{
    for (size_t most = 512; most <= LENGTH; most *= 2) {
        struct inject plan = {.writes = true, .count = UINT64_MAX, .most = most};
        struct transfer *transfer = make_transfer(0, IO_WRITE);

        inject_set(&plan);
        fill(transfer);
        assert_int_equal(hand_over(transfer), 0);
        assert_int_equal(atomic_load(&plan.seen), LENGTH / most);
        expect_on_disk(transfer);
        fill(transfer);
        assert_int_equal(io_run(&transfer->request), 0);
        inject_set(NULL);
        expect_on_disk(transfer);
    }
}

static void interruptions_are_resumed(void **state)
{
    static const int errors[] = {-EINTR, -EAGAIN};

    for (unsigned i = 0; i < array_size(errors); i++) {
        struct inject plan = {.writes = true, .count = 5, .error = errors[i]};
        struct transfer *transfer = make_transfer(0, IO_WRITE);

        inject_set(&plan);
        fill(transfer);
        assert_int_equal(hand_over(transfer), 0);
        inject_set(NULL);
        expect_on_disk(transfer);
    }
}

static void an_error_is_reported_once_for_its_transfer(void **state)
{
    struct inject plan = {.writes = true, .skip = 10, .count = 1, .error = -EIO};
    unsigned failed = 0;

    inject_set(&plan);
    for (unsigned i = 0; i < 40; i++) {
        fill(make_transfer(i, IO_WRITE));
        io_submit(&transfers[i].request);
    }
    for (unsigned i = 0; i < 40; i++) {
        int error = wait_for(&transfers[i]);

        failed += error == -EIO;
        if (!error)
            expect_on_disk(&transfers[i]);
    }
    assert_int_equal(failed, 1);
}

/* A short transfer, and then an error in what was left. */
static void an_error_in_the_middle_ends_it(void **state)
{
    struct inject plan = {.writes = true, .count = 2, .most = 4096, .error = -ENOSPC};
    struct transfer *transfer = make_transfer(0, IO_WRITE);

    inject_set(&plan);
    fill(transfer);
    assert_int_equal(hand_over(transfer), -ENOSPC);
    assert_int_equal(transfer->request.done, 4096);
}

static void endless_interruption_is_an_error(void **state)
{
    struct inject plan = {.writes = true, .count = UINT64_MAX, .error = -EINTR};

    inject_set(&plan);
    assert_int_equal(hand_over(make_transfer(0, IO_WRITE)), -EINTR);
}

static void the_end_of_the_file_is_an_error(void **state)
{
    struct transfer *transfer = make_transfer(0, IO_READ);

    assert_int_equal(ftruncate(fd, LENGTH / 2), 0);
    assert_int_equal(hand_over(transfer), -EIO);
    assert_int_equal(io_run(&transfer->request), -EIO);
    assert_int_equal(transfer->request.done, LENGTH / 2);
}

static void errors_of_the_kernel_come_through(void **state)
{
    struct transfer *transfer = make_transfer(0, IO_WRITE);

    transfer->request.fd = STDIN_FILENO + 77;
    assert_int_equal(hand_over(transfer), -EBADF);
    assert_int_equal(io_run(&transfer->request), -EBADF);
}

static _Atomic unsigned tasks;

static void count_task(struct io_request *request, int error)
{
    char name[16] = "";

    prctl(PR_GET_NAME, name);
    if (error == 0 && strcmp(name, "uswapd") == 0)
        atomic_fetch_add(&tasks, 1);
    ended(request, error);
}

static void a_task_runs_in_the_swap_thread(void **state)
{
    struct transfer *transfer = make_transfer(0, IO_TASK);

    transfer->request.complete = count_task;
    atomic_store(&tasks, 0);
    assert_int_equal(hand_over(transfer), 0);
    assert_int_equal(atomic_load(&tasks), 1);
}

/* The thread sleeps between these; a lost wake-up would hang. */
static void a_sleeping_thread_is_always_woken(void **state)
{
    for (unsigned i = 0; i < 2000; i++) {
        struct transfer *transfer = make_transfer(0, IO_TASK);

        if (i % 4 == 0)
            usleep((useconds_t)random_below(&seeded, 60));
        assert_int_equal(hand_over(transfer), 0);
    }
}

static void delays_delay(void **state)
{
    struct inject plan = {.count = 1, .delay_ns = 30000000};
    struct transfer *transfer = make_transfer(0, IO_READ);
    uint64_t start = clock_now_ns();

    inject_set(&plan);
    assert_int_equal(io_run(&transfer->request), 0);
    assert_true(clock_now_ns() - start >= 30000000);
}

static void write_where_forbidden(unsigned nr, int error, const char *message)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        io_fork_child();
        forbid(nr, error);
        for (unsigned i = 0; i < 20; i++) {
            fill(make_transfer(i, IO_WRITE));
            io_submit(&transfers[i].request);
        }
        for (unsigned i = 0; i < 20; i++)
            if (wait_for(&transfers[i]))
                _exit(1);
        for (unsigned i = 0; i < 20; i++)
            expect_on_disk(&transfers[i]);
        _exit(scratch.messages == 1 && scratch_said(&scratch, message) ? 0 : 2);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void without_io_uring_the_thread_writes_by_itself(void **state)
{
    if (engine != IO_ENGINE_URING)
        skip();
    write_where_forbidden(SYS_io_uring_setup, EPERM, "no io_uring");
    write_where_forbidden(SYS_io_uring_setup, ENOSYS, "no io_uring");
    write_where_forbidden(SYS_close_range, ENOSYS, "no io_uring");
}

static void without_a_thread_the_caller_writes(void **state)
{
    write_where_forbidden(SYS_clone, EAGAIN, "no swap thread");
}

static bool has_ring_mapped(void)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (fgets(line, sizeof(line), maps))
        found |= strstr(line, "io_uring") != NULL;
    fclose(maps);
    return found;
}

static void a_child_of_fork_has_a_thread_of_its_own(void **state)
{
    pid_t child;
    int status;

    fill(make_transfer(0, IO_WRITE));
    assert_int_equal(hand_over(&transfers[0]), 0);
    assert_int_equal(has_ring_mapped(), engine == IO_ENGINE_URING);
    child = fork();
    if (child == 0) {
        io_fork_child();
        if (has_ring_mapped())
            _exit(2);
        for (unsigned i = 10; i < 20; i++) {
            fill(make_transfer(i, IO_WRITE));
            if (hand_over(&transfers[i]))
                _exit(1);
            expect_on_disk(&transfers[i]);
        }
        _exit(0);
    }
    for (unsigned i = 1; i < 10; i++) {
        fill(make_transfer(i, IO_WRITE));
        assert_int_equal(hand_over(&transfers[i]), 0);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    for (unsigned i = 0; i < 10; i++)
        expect_on_disk(&transfers[i]);
}

static void the_programs_descriptors_are_free_to_close(void **state)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        io_fork_child();
        fill(make_transfer(0, IO_WRITE));
        if (hand_over(&transfers[0]))
            _exit(1);
        /* The ring is in no table but that of its thread. */
        for (int other = 3; other < 100; other++) {
            char link[32], target[128] = "";

            snprintf(link, sizeof(link), "/proc/self/fd/%d", other);
            if (readlink(link, target, sizeof(target) - 1) > 0 && strstr(target, "io_uring"))
                _exit(2);
        }
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_handed_over_is_written),
        TEST(reads_can_be_handed_over_too),
        TEST(the_caller_can_transfer_by_itself),
        TEST(short_transfers_are_resumed),
        TEST(interruptions_are_resumed),
        TEST(an_error_is_reported_once_for_its_transfer),
        TEST(an_error_in_the_middle_ends_it),
        TEST(endless_interruption_is_an_error),
        TEST(the_end_of_the_file_is_an_error),
        TEST(errors_of_the_kernel_come_through),
        TEST(a_task_runs_in_the_swap_thread),
        TEST(a_sleeping_thread_is_always_woken),
        TEST(delays_delay),
        TEST(without_io_uring_the_thread_writes_by_itself),
        TEST(without_a_thread_the_caller_writes),
        TEST(a_child_of_fork_has_a_thread_of_its_own),
        TEST(the_programs_descriptors_are_free_to_close),
    };
    int failed;

    seeded = random_start(argc, argv);
    engine = IO_ENGINE_URING;
    failed = cmocka_run_group_tests_name("io_uring", tests, NULL, NULL);
    engine = IO_ENGINE_SYNC;
    return failed + cmocka_run_group_tests_name("synchronous", tests, NULL, NULL);
}
