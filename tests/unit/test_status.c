/* SPDX-License-Identifier: MIT */
/* The status page: what is counted in many threads adds up; each process has its own. */
#include "observe/status.h"

#include "cmocka_all.h"
#include "observe/control.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than there are shards. */
#define THREADS (2 * STATUS_SHARDS + 3)
#define ADDS    10000

/* The memory file with this name, opened anew as another process would; -1: there is none. */
static int open_file(const char *name, int flags)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    char link[64], path[300];
    int fd = -1;

    while (fd < 0 && (entry = readdir(directory))) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);
        link[length > 0 ? length : 0] = '\0';
        if (strncmp(link, "/memfd:", 7) != 0 || strncmp(link + 7, name, strlen(name)) != 0)
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        fd = open(path, flags);
    }
    closedir(directory);
    return fd;
}

static void read_page(struct status *page)
{
    int fd = open_file(STATUS_NAME, O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, page, sizeof(*page), 0), sizeof(*page));
    close(fd);
}

static void the_file_is_private_and_read_only(void **state)
{
    int fd = open_file(STATUS_NAME, O_RDWR);
    struct stat info;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, sizeof(struct status));
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
    fd = open_file(CONTROL_NAME, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
}

static void *count(void *unused)
{
    for (unsigned i = 0; i < ADDS; i++) {
        stats_add(STAT_FAULTS_MAJOR, 1);
        stats_time(HISTOGRAM_MAJOR, i);
    }
    return NULL;
}

static void threads_add_up(void **state)
{
    static struct status page;
    static struct histogram times;
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    read_page(&page);
    assert_int_equal(page.magic, STATUS_MAGIC);
    assert_int_equal(page.pid, getpid());
    assert_int_equal(status_sum(&page, STAT_FAULTS_MAJOR), THREADS * ADDS);
    status_merge(&page, HISTOGRAM_MAJOR, &times);
    assert_int_equal(histogram_total(&times), THREADS * ADDS);
    assert_int_equal(times.maximum, ADDS - 1);
}

/* What the child says: 0 when all is as it must be. */
static int look_in_child(void)
{
    static struct status page;

    status_fork_child();
    stats_add(STAT_FAULTS_MINOR, 7);
    read_page(&page);
    return !(page.pid == getpid() && status_sum(&page, STAT_FAULTS_MAJOR) == 0 &&
             status_sum(&page, STAT_FAULTS_MINOR) == 7 && page.gauges.swapped == 42);
}

static void a_child_has_a_page_of_its_own(void **state)
{
    static struct status page;
    int how;
    pid_t child;

    stats_count_swapped(42);
    status_fork_prepare();
    /* What the parent does from here on is not the child's. */
    stats_count_swapped(-2);
    child = fork();
    if (child == 0)
        _exit(look_in_child());
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(how, 0);
    read_page(&page);
    assert_int_equal(page.pid, getpid());
    assert_int_equal(status_sum(&page, STAT_FAULTS_MINOR), 0);
    assert_int_equal(page.gauges.swapped, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_private_and_read_only),
        cmocka_unit_test(threads_add_up),
        cmocka_unit_test(a_child_has_a_page_of_its_own),
    };

    status_start();
    control_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
