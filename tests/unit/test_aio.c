/* SPDX-License-Identifier: MIT */
/* Reads that are begun and waited for: content, many threads at once, hosts that forbid, fork. */
#include "store/aio.h"

#include "base/fd.h"
#include "cmocka_all.h"
#include "forbid.h"
#include "random.h"
#include "scratch.h"
#include "store/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES   512u
#define THREADS 24u
#define READS   200u

static struct random seeded;
static struct scratch scratch;
static int fd;
static _Atomic unsigned wrong;

static uint64_t word_of(uint64_t page, size_t i)
{
    return (page + 1) * 0x9e3779b97f4a7c15u + i;
}

static int write_pages(void)
{
    static uint64_t page[PAGE_SIZE / sizeof(uint64_t)] __attribute__((aligned(PAGE_SIZE)));

    for (uint64_t number = 0; number < PAGES; number++) {
        for (size_t i = 0; i < array_size(page); i++)
            page[i] = word_of(number, i);
        if (pwrite(fd, page, PAGE_SIZE, (off_t)(number * PAGE_SIZE)) != PAGE_SIZE)
            return -1;
    }
    return 0;
}

static int set_up(void **state)
{
    if (scratch_make(&scratch) || io_start(IO_ENGINE_URING))
        return -1;
    fd = open(scratch_path(&scratch, "file"), O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
    if (fd < 0)
        return -1;
    fd = fd_move_high(fd);
    return write_pages();
}

static int tear_down(void **state)
{
    inject_set(NULL);
    io_stop();
    fd_close(fd);
    return scratch_remove(&scratch);
}

/* A read of up to four pages, from one page on, into memory of its own. */
struct read {
    struct io_request request;
    struct iovec buffers[2];
    uint64_t page;
    unsigned pages;
    char *memory;
};

static void make_read_of(struct read *read, unsigned pages, struct random *random)
{
    unsigned first;

    read->pages = pages;
    read->page = random_below(random, PAGES - 4);
    read->memory = aligned_alloc(PAGE_SIZE, read->pages * PAGE_SIZE);
    memset(read->memory, 0xee, read->pages * PAGE_SIZE);
    first = (unsigned)random_below(random, read->pages);
    read->buffers[0] = (struct iovec){read->memory, first * PAGE_SIZE};
    read->buffers[1] =
        (struct iovec){read->memory + first * PAGE_SIZE, (read->pages - first) * PAGE_SIZE};
    read->request = (struct io_request){
        .kind = IO_READ,
        .fd = fd,
        .offset = read->page * PAGE_SIZE,
        .length = read->pages * PAGE_SIZE,
        .buffers = first ? read->buffers : read->buffers + 1,
        .buffer_count = first ? 2 : 1,
        .direct = true,
    };
}

static void make_read(struct read *read, struct random *random)
{
    make_read_of(read, 1 + (unsigned)random_below(random, 4), random);
}

static bool is_right(const struct read *read)
{
    const uint64_t *words = (const void *)read->memory;
    size_t a_page = PAGE_SIZE / sizeof(uint64_t);

    for (size_t i = 0; i < read->pages * a_page; i++) {
        if (words[i] != word_of(read->page + i / a_page, i % a_page))
            return false;
    }
    return true;
}

/* Begin some, end them in another order. */
static int read_some(struct random *random, bool *begun)
{
    struct read reads[4];
    unsigned count = 1 + (unsigned)random_below(random, array_size(reads));
    unsigned turn = (unsigned)random_below(random, count);
    int result = 0;

    for (unsigned i = 0; i < count; i++) {
        make_read(&reads[i], random);
        io_begin(&reads[i].request);
        *begun |= reads[i].request.slot >= 0;
    }
    for (unsigned i = 0; i < count; i++) {
        struct read *read = &reads[(i + turn) % count];
        if (io_end(&read->request) || !is_right(read))
            result = -EIO;
        free(read->memory);
    }
    return result;
}

static void what_is_begun_is_read(void **state)
{
    bool begun = false;

    for (unsigned i = 0; i < READS; i++)
        assert_int_equal(read_some(&seeded, &begun), 0);
    assert_true(begun);
}

static void *read_in_a_thread(void *argument)
{
    struct random random = {*(uint64_t *)argument};
    bool begun = false;

    for (unsigned i = 0; i < READS; i++)
        wrong += read_some(&random, &begun) != 0;
    wrong += !begun;
    return NULL;
}

/* More reads at once than there are slots for. */
static void threads_read_for_each_other(void **state)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];

    wrong = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = random_next(&seeded);
        assert_int_equal(pthread_create(&threads[i], NULL, read_in_a_thread, &seeds[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wrong, 0);
}

static _Atomic bool stop;

static void *read_until_told(void *argument)
{
    struct random random = {*(uint64_t *)argument};
    bool begun = false;

    while (!atomic_load(&stop))
        wrong += read_some(&random, &begun) != 0;
    return NULL;
}

/* Whether the first of two reads of a page was left for later. */
static bool read_two_pages(void)
{
    struct read reads[2];
    bool later;

    for (unsigned i = 0; i < 2; i++) {
        make_read_of(&reads[i], 1, &seeded);
        io_begin(&reads[i].request);
    }
    later = reads[0].request.slot < 0 && reads[1].request.slot >= 0;
    for (unsigned i = 0; i < 2; i++) {
        wrong += io_end(&reads[i].request) != 0 || !is_right(&reads[i]);
        free(reads[i].memory);
    }
    return later;
}

static void one_page_is_begun_later_while_others_wait(void **state)
{
    pthread_t thread;
    uint64_t seed = random_next(&seeded);
    bool later = false;

    wrong = 0;
    for (unsigned i = 0; i < READS; i++)
        assert_false(read_two_pages());
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, read_until_told, &seed), 0);
    for (unsigned i = 0; i < 100 * READS && aio_submit_is_cheap() && !later; i++)
        later = read_two_pages();
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    assert_true(later || !aio_submit_is_cheap());
    assert_int_equal(wrong, 0);
}

static void the_end_of_the_file_is_an_error(void **state)
{
    struct read read;

    make_read(&read, &seeded);
    assert_int_equal(ftruncate(fd, (off_t)(read.page * PAGE_SIZE)), 0);
    io_begin(&read.request);
    assert_int_equal(io_end(&read.request), -EIO);
    free(read.memory);
}

static void errors_of_the_kernel_come_through(void **state)
{
    struct read read;

    make_read(&read, &seeded);
    read.request.fd = STDIN_FILENO + 77;
    io_begin(&read.request);
    assert_int_equal(io_end(&read.request), -EBADF);
    free(read.memory);
}

/* With a plan of failures, each transfer goes where the plan is looked at. */
static void plans_of_failure_are_kept(void **state)
{
    struct inject plan = {.count = 1, .error = -EIO};
    struct read read;

    inject_set(&plan);
    make_read(&read, &seeded);
    io_begin(&read.request);
    assert_int_equal(io_end(&read.request), -EIO);
    free(read.memory);
}

/* nr 0: nothing is forbidden. */
static int read_in_a_child(unsigned nr, int error, bool expect_begun)
{
    pid_t child = fork();
    bool begun = false;
    int status;

    if (child == 0) {
        io_fork_child();
        if (nr)
            forbid(nr, error);
        for (unsigned i = 0; i < 20; i++)
            if (read_some(&seeded, &begun))
                _exit(1);
        _exit(begun == expect_begun ? 0 : 2);
    }
    waitpid(child, &status, 0);
    return status;
}

static void where_it_is_forbidden_it_is_read_all_the_same(void **state)
{
    assert_int_equal(read_in_a_child(SYS_io_setup, ENOSYS, false), 0);
    assert_int_equal(read_in_a_child(SYS_io_setup, EAGAIN, false), 0);
    assert_int_equal(read_in_a_child(SYS_io_submit, EPERM, true), 0);
}

static void a_child_of_fork_reads_by_itself(void **state)
{
    bool begun = false;

    assert_int_equal(read_some(&seeded, &begun), 0);
    assert_int_equal(read_in_a_child(0, 0, true), 0);
    assert_int_equal(read_some(&seeded, &begun), 0);
    assert_true(begun);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_begun_is_read),
        TEST(threads_read_for_each_other),
        TEST(one_page_is_begun_later_while_others_wait),
        TEST(the_end_of_the_file_is_an_error),
        TEST(errors_of_the_kernel_come_through),
        TEST(plans_of_failure_are_kept),
        TEST(where_it_is_forbidden_it_is_read_all_the_same),
        TEST(a_child_of_fork_reads_by_itself),
    };

    seeded = random_start(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
