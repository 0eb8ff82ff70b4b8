/* SPDX-License-Identifier: MIT */
/* Swap files and devices: what is taken, what is refused and untouched, and what is left behind. */
#include "store/file.h"

#include "cmocka_all.h"
#include "scratch.h"
#include "store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SIZE (8 * MIB)

static struct scratch scratch;
static struct file file;

static int set_up(void **state)
{
    return scratch_make(&scratch);
}

static int tear_down(void **state)
{
    return scratch_remove(&scratch);
}

static struct stat status_of(int fd)
{
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    return status;
}

/* A file of SIZE bytes of zeros with `count` bytes of text at an offset. */
static const char *make_file(const char *name, off_t offset, const char *text, size_t count)
{
    const char *path = scratch_path(&scratch, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_int_equal(pwrite(fd, text, count, offset), count);
    close(fd);
    return path;
}

static void expect_refused(const char *path, int error, const char *why)
{
    char start[160];

    snprintf(start, sizeof(start), "--swap %s: ", path);
    assert_int_equal(file_open(&file, path, SIZE), error);
    assert_int_equal(scratch.messages, 1);
    assert_true(scratch_said(&scratch, start));
    assert_true(scratch_said(&scratch, why));
}

static void a_directory_gets_a_file_without_name(void **state)
{
    struct stat status;

    assert_int_equal(file_open(&file, scratch.directory, SIZE), 0);
    status = status_of(file.fd);
    assert_int_equal(status.st_nlink, 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(file.size, SIZE);
    assert_true(file.fd >= 100);
    assert_int_equal(fcntl(file.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(scratch_entries(&scratch), 0);
    file_close(&file);
}

static void a_missing_file_is_made_and_has_no_name(void **state)
{
    assert_int_equal(file_open(&file, scratch_path(&scratch, "new"), SIZE), 0);
    assert_int_equal(status_of(file.fd).st_nlink, 0);
    assert_int_equal(status_of(file.fd).st_mode & 07777, 0600);
    assert_int_equal(scratch_entries(&scratch), 0);
    file_close(&file);
}

static void a_file_of_zeros_is_taken_with_its_size(void **state)
{
    assert_int_equal(file_open(&file, make_file("zeros", 0, "", 0), 0), 0);
    assert_int_equal(file.size, SIZE);
    assert_int_equal(status_of(file.fd).st_nlink, 0);
    assert_int_equal(status_of(file.fd).st_mode & 07777, 0600);
    assert_int_equal(scratch_entries(&scratch), 0);
    file_close(&file);
}

static void an_empty_file_gets_the_size_asked_for(void **state)
{
    const char *path = make_file("empty", 0, "", 0);

    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(file_open(&file, path, 3 * MIB), 0);
    assert_int_equal(file.size, 3 * MIB);
    file_close(&file);
}

static void a_file_with_data_is_refused_and_untouched(void **state)
{
    static const off_t offsets[] = {0, 5000, 128 * 1024 - 1, SIZE - 1};

    for (unsigned i = 0; i < array_size(offsets); i++) {
        const char *path = make_file("data", offsets[i], "x", 1);
        char byte = 0;
        int fd;

        scratch.messages = 0;
        expect_refused(path, -EINVAL, "holds data");
        fd = open(path, O_RDONLY);
        assert_int_equal(pread(fd, &byte, 1, offsets[i]), 1);
        assert_int_equal(byte, 'x');
        assert_int_equal(status_of(fd).st_mode & 07777, 0644);
        close(fd);
    }
}

static void a_large_file_with_data_in_the_middle_is_refused(void **state)
{
    static const char text[256 * 1024] = {[0 ... 256 * 1024 - 1] = 'x'};

    expect_refused(make_file("data", SIZE / 2, text, sizeof(text)), -EINVAL, "holds data");
}

static void a_short_file_with_data_is_refused(void **state)
{
    const char *path = make_file("short", 0, "note", 4);

    assert_int_equal(truncate(path, 4), 0);
    expect_refused(path, -EINVAL, "holds data");
    assert_int_equal(access(path, F_OK), 0);
}

static void a_file_with_two_names_is_refused(void **state)
{
    char other[128];
    const char *path;

    snprintf(other, sizeof(other), "%s/other", scratch.directory);
    path = make_file("one", 0, "", 0);
    assert_int_equal(link(path, other), 0);
    expect_refused(path, -EINVAL, "more than one name");
    assert_int_equal(scratch_entries(&scratch), 2);
}

static void a_link_is_refused(void **state)
{
    char target[128];
    const char *path;

    strcpy(target, make_file("target", 0, "", 0));
    path = scratch_path(&scratch, "link");
    assert_int_equal(symlink(target, path), 0);
    expect_refused(path, -ELOOP, "symbolic link");
}

static void other_things_are_refused(void **state)
{
    expect_refused("/dev/null", -EINVAL, "neither directory, file nor block device");
    scratch.messages = 0;
    expect_refused(scratch_path(&scratch, "no/such"), -ENOENT, "directory does not exist");
    scratch.messages = 0;
    expect_refused("/proc", -ENOENT, "name a writable directory");
}

static void a_size_that_is_too_small_is_refused(void **state)
{
    assert_int_equal(file_open(&file, scratch.directory, PAGE_SIZE), -EINVAL);
    assert_true(scratch_said(&scratch, "too small"));
}

static int in_child(void (*check)(void))
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        check();
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

static void become_nobody(void)
{
    if (setresuid(65534, 65534, 65534))
        _exit(1);
}

static void try_unwritable(void)
{
    become_nobody();
    if (file_open(&file, scratch.directory, SIZE) != -EACCES ||
        !scratch_said(&scratch, "not writable; name another"))
        _exit(2);
    if (file_open(&file, scratch_path(&scratch, "new"), SIZE) != -EACCES)
        _exit(3);
}

static void a_directory_that_is_not_writable_is_named(void **state)
{
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_child(try_unwritable), 0);
}

static void try_file_of_another(void)
{
    const char *path = scratch_path(&scratch, "foreign");

    become_nobody();
    if (file_open(&file, path, SIZE) != -EINVAL ||
        !scratch_said(&scratch, "belongs to another user"))
        _exit(2);
    if (access(path, F_OK))
        _exit(3);
}

static void a_file_of_another_user_is_left_alone(void **state)
{
    const char *path = make_file("foreign", 0, "", 0);

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(chmod(scratch.directory, 0777), 0);
    assert_int_equal(in_child(try_file_of_another), 0);
}

static void the_default_is_the_temporary_directory(void **state)
{
    char target[128], link[64];
    ssize_t length;

    setenv("TMPDIR", scratch.directory, 1);
    assert_int_equal(file_open(&file, NULL, 0), 0);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file.fd);
    length = readlink(link, target, sizeof(target) - 1);
    assert_true(length > 0);
    target[length] = 0;
    assert_ptr_equal(strstr(target, scratch.directory), target);
    assert_true(file.size > SIZE);
    file_close(&file);
    setenv("TMPDIR", "/no/such/directory", 1);
    assert_int_equal(file_open(&file, NULL, SIZE), 0);
    assert_string_equal(file.path, "/var/tmp");
    file_close(&file);
    unsetenv("TMPDIR");
}

static void memory_as_a_disk_is_taken_with_a_warning(void **state)
{
    if (access("/dev/shm", W_OK))
        skip();
    assert_int_equal(file_open(&file, "/dev/shm", SIZE), 0);
    assert_true(file.ram);
    assert_true(scratch_said(&scratch, "is in RAM"));
    file_close(&file);
}

static void allocated_space_is_there_and_discarded_space_is_not(void **state)
{
    struct stat before, after;

    assert_int_equal(file_open(&file, scratch.directory, SIZE), 0);
    before = status_of(file.fd);
    assert_int_equal(file_allocate(&file, MIB, 2 * MIB), 0);
    after = status_of(file.fd);
    assert_true((uint64_t)(after.st_blocks - before.st_blocks) * 512 >= 2 * MIB);
    file_discard(&file, MIB, 2 * MIB);
    assert_true(status_of(file.fd).st_blocks < after.st_blocks - 2000);
    file_close(&file);
}

static void try_with_limit(void)
{
    struct rlimit limit = {2 * MIB, 2 * MIB};

    setrlimit(RLIMIT_FSIZE, &limit);
    if (file_open(&file, scratch.directory, SIZE) || file.size != 2 * MIB ||
        !scratch_said(&scratch, "ulimit -f"))
        _exit(2);
    if (file_allocate(&file, 0, file.size))
        _exit(3);
}

static void a_limit_of_file_size_is_respected(void **state)
{
    assert_int_equal(in_child(try_with_limit), 0);
}

static void an_empty_device_is_taken_and_marked(void **state)
{
    char device[64];

    if (!scratch_loop(&scratch, 8, device))
        skip();
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(file_open(&file, device, 0), 0);
        assert_true(file.device);
        assert_int_equal(file.size, SIZE - CLAIM_EDGE);
        assert_int_equal(file.header, CLAIM_EDGE);
        file_close(&file);
    }
    scratch_unloop(device);
}

static void write_to_device(const char *device, uint64_t offset, const char *bytes, size_t count)
{
    int fd = open(device, O_WRONLY);

    assert_int_equal(pwrite(fd, bytes, count, (off_t)offset), count);
    fsync(fd);
    close(fd);
}

/* A mark of somebody else's that came after ours or that of mkswap. */
static void a_device_that_was_used_otherwise_later_is_refused(void **state)
{
    static const uint64_t offsets[] = {PAGE_SIZE, 64 * KIB + 64, SIZE - 64 * KIB};
    char device[64];

    if (!scratch_loop(&scratch, 8, device))
        skip();
    assert_int_equal(file_open(&file, device, 0), 0);
    file_close(&file);
    for (unsigned i = 0; i < array_size(offsets); i++) {
        write_to_device(device, offsets[i], "x", 1);
        scratch.messages = 0;
        expect_refused(device, -EINVAL, "holds data");
        write_to_device(device, offsets[i], "", 1);
    }
    assert_int_equal(file_open(&file, device, 0), 0);
    file_close(&file);
    scratch_unloop(device);
}

static void swap_space_with_another_mark_is_refused(void **state)
{
    char device[64], command[128];

    if (!scratch_loop(&scratch, 8, device))
        skip();
    snprintf(command, sizeof(command), "mkswap %s >/dev/null 2>&1", device);
    assert_int_equal(scratch_run(command, NULL, 0), 0);
    write_to_device(device, PAGE_SIZE, "\xfc\x4e\x2b\xa9", 4);
    expect_refused(device, -EINVAL, "holds data");
    scratch_unloop(device);
}

static void a_device_in_use_is_refused(void **state)
{
    struct file other;
    char device[64];

    if (!scratch_loop(&scratch, 8, device))
        skip();
    assert_int_equal(file_open(&other, device, 0), 0);
    expect_refused(device, -EBUSY, "in use");
    file_close(&other);
    scratch_unloop(device);
}

static void a_device_with_a_file_system_is_refused(void **state)
{
    char device[64], command[128];

    if (!scratch_loop(&scratch, 8, device))
        skip();
    snprintf(command, sizeof(command), "mkfs.ext4 -q %s 2>/dev/null", device);
    assert_int_equal(scratch_run(command, NULL, 0), 0);
    expect_refused(device, -EINVAL, "wipefs -a");
    snprintf(command, sizeof(command), "fsck.ext4 -nf %s >/dev/null 2>&1", device);
    assert_int_equal(scratch_run(command, NULL, 0), 0);
    scratch_unloop(device);
}

static void a_device_prepared_with_mkswap_is_taken(void **state)
{
    char device[64], command[128];

    if (!scratch_loop(&scratch, 8, device))
        skip();
    snprintf(command, sizeof(command), "mkswap %s >/dev/null 2>&1", device);
    assert_int_equal(scratch_run(command, NULL, 0), 0);
    assert_int_equal(file_open(&file, device, 0), 0);
    file_close(&file);
    scratch_unloop(device);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory_gets_a_file_without_name),
        TEST(a_missing_file_is_made_and_has_no_name),
        TEST(a_file_of_zeros_is_taken_with_its_size),
        TEST(an_empty_file_gets_the_size_asked_for),
        TEST(a_file_with_data_is_refused_and_untouched),
        TEST(a_large_file_with_data_in_the_middle_is_refused),
        TEST(a_short_file_with_data_is_refused),
        TEST(a_file_with_two_names_is_refused),
        TEST(a_link_is_refused),
        TEST(other_things_are_refused),
        TEST(a_size_that_is_too_small_is_refused),
        TEST(a_directory_that_is_not_writable_is_named),
        TEST(a_file_of_another_user_is_left_alone),
        TEST(the_default_is_the_temporary_directory),
        TEST(memory_as_a_disk_is_taken_with_a_warning),
        TEST(allocated_space_is_there_and_discarded_space_is_not),
        TEST(a_limit_of_file_size_is_respected),
        TEST(an_empty_device_is_taken_and_marked),
        TEST(a_device_that_was_used_otherwise_later_is_refused),
        TEST(swap_space_with_another_mark_is_refused),
        TEST(a_device_in_use_is_refused),
        TEST(a_device_with_a_file_system_is_refused),
        TEST(a_device_prepared_with_mkswap_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
