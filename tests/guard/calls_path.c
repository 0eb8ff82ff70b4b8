/* SPDX-License-Identifier: MIT */
/* System calls that take path names or give descriptions of files, on memory that is swapped out.
 */
#include "cold.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static void touch(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, path, strlen(path)) < 0)
        exit(1);
    close(fd);
}

static void opening(enum way way)
{
    char *path = cold_string("./a-file"), *missing = cold_string("./no/such/file");
    long fd = CALL(open(path, O_RDWR | O_CREAT, 0600), SYS_open, path, O_RDWR | O_CREAT, 0600);

    say("open", fd >= 0, "", 0);
    close((int)fd);
    fd = CALL(openat(AT_FDCWD, path, O_RDONLY), SYS_openat, AT_FDCWD, path, O_RDONLY);
    say("openat", fd >= 0, "", 0);
    close((int)fd);
    fd = CALL(creat(path, 0600), SYS_creat, path, 0600);
    say("creat", fd >= 0, "", 0);
    close((int)fd);
    say("open missing", CALL(open(missing, O_RDONLY), SYS_open, missing, O_RDONLY), "", 0);
    say("access", CALL(access(path, R_OK), SYS_access, path, R_OK), "", 0);
    say("truncate", CALL(truncate(path, 77), SYS_truncate, path, 77), "", 0);
    say("unlink", CALL(unlink(path), SYS_unlink, path), "", 0);
}

static void a_name_of_many_pages(enum way way)
{
    size_t size = 3 * PAGE;
    char *path = cold(size);

    memset(path, '/', size - 1);
    say("too long", CALL(access(path, R_OK), SYS_access, path, R_OK), "", 0);
    path[PAGE] = 0;
    say("as long as can be", CALL(access(path, R_OK), SYS_access, path, R_OK), "", 0);
    path[PAGE - 1] = 0;
    say("shorter", CALL(access(path, R_OK), SYS_access, path, R_OK), "", 0);
}

/* What does not change from run to run. */
static void say_stat(const char *what, long result, const struct stat *stat)
{
    long part[] = {stat->st_mode, stat->st_size, stat->st_nlink, stat->st_blksize};

    say(what, result, part, sizeof(part));
}

static void describing(enum way way)
{
    char *path = cold_string("described");
    struct stat *stat_ = cold(sizeof(*stat_));
    struct statx *statx_ = cold(sizeof(*statx_));
    struct statfs *fs = cold(sizeof(*fs));

    touch("described");
    int fd = open("described", O_RDONLY);
    say_stat("stat", CALL(stat(path, stat_), SYS_stat, path, stat_), stat_);
    memset(stat_, 0, sizeof(*stat_));
    say_stat("lstat", CALL(lstat(path, stat_), SYS_lstat, path, stat_), stat_);
    memset(stat_, 0, sizeof(*stat_));
    say_stat("fstat", CALL(fstat(fd, stat_), SYS_fstat, fd, stat_), stat_);
    memset(stat_, 0, sizeof(*stat_));
    say_stat("fstatat",
             CALL(fstatat(AT_FDCWD, path, stat_, 0), SYS_newfstatat, AT_FDCWD, path, stat_, 0),
             stat_);
    say("statx",
        CALL(statx(AT_FDCWD, path, 0, STATX_SIZE, statx_), SYS_statx, AT_FDCWD, path, 0, STATX_SIZE,
             statx_),
        &statx_->stx_size, sizeof(statx_->stx_size));
    say("statfs", CALL(statfs(path, fs), SYS_statfs, path, fs), &fs->f_type, sizeof(fs->f_type));
    say("fstatfs", CALL(fstatfs(fd, fs), SYS_fstatfs, fd, fs), &fs->f_type, sizeof(fs->f_type));
    close(fd);
}

static void changing(enum way way)
{
    char *path = cold_string("changing"), *other = cold_string("changed");
    struct timespec *times = cold(2 * sizeof(*times));

    touch("changing");
    say("chmod", CALL(chmod(path, 0640), SYS_chmod, path, 0640), "", 0);
    say("chown", CALL(chown(path, getuid(), getgid()), SYS_chown, path, getuid(), getgid()), "", 0);
    times[1].tv_sec = 1000;
    say("utimensat",
        CALL(utimensat(AT_FDCWD, path, times, 0), SYS_utimensat, AT_FDCWD, path, times, 0), "", 0);
    struct stat *stat_ = cold(sizeof(*stat_));
    stat(path, stat_);
    say("changed", stat_->st_mtime, &stat_->st_mode, sizeof(stat_->st_mode));
    say("link", CALL(link(path, other), SYS_link, path, other), "", 0);
    say("link again", CALL(link(path, other), SYS_link, path, other), "", 0);
    say("rename", CALL(rename(other, path), SYS_rename, other, path), "", 0);
    say("renameat",
        CALL(renameat(AT_FDCWD, path, AT_FDCWD, other), SYS_renameat, AT_FDCWD, path, AT_FDCWD,
             other),
        "", 0);
    unlink("changing");
    unlink("changed");
}

static void linking(enum way way)
{
    char *target = cold_string("../to/somewhere"), *path = cold_string("symbolic");
    char *buffer = cold(100);

    say("symlink", CALL(symlink(target, path), SYS_symlink, target, path), "", 0);
    say("readlink", CALL(readlink(path, buffer, 100), SYS_readlink, path, buffer, 100), buffer,
        100);
    memset(buffer, 0, 100);
    say("readlinkat",
        CALL(readlinkat(AT_FDCWD, path, buffer, 10), SYS_readlinkat, AT_FDCWD, path, buffer, 10),
        buffer, 100);
    unlink("symbolic");
}

static void directories(enum way way)
{
    char *path = cold_string("directory"), *up = cold_string("..");
    char *buffer = cold(5000);

    say("mkdir", CALL(mkdir(path, 0700), SYS_mkdir, path, 0700), "", 0);
    say("chdir", CALL(chdir(path), SYS_chdir, path), "", 0);
    touch("one");
    touch("two");
    long length =
        CALL(getcwd(buffer, 5000) ? (long)strlen(buffer) + 1 : -1, SYS_getcwd, buffer, 5000);
    say("getcwd", length > 10, strrchr(buffer, '/'), 10);
    memset(buffer, 0, 5000);
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    say("getdents", CALL(getdents64(fd, buffer, 5000), SYS_getdents64, fd, buffer, 5000) > 0, "",
        0);
    close(fd);
    unlink("one");
    unlink("two");
    say("chdir up", CALL(chdir(up), SYS_chdir, up), "", 0);
    say("rmdir", CALL(rmdir(path), SYS_rmdir, path), "", 0);
}

static void attributes(enum way way)
{
    char *path = cold_string("attributed"), *name = cold_string("user.some");
    char *value = cold_string("its value"), *buffer = cold(100);

    touch("attributed");
    say("setxattr", CALL(setxattr(path, name, value, 9, 0), SYS_setxattr, path, name, value, 9, 0),
        "", 0);
    say("getxattr", CALL(getxattr(path, name, buffer, 100), SYS_getxattr, path, name, buffer, 100),
        buffer, 100);
    say("listxattr", CALL(listxattr(path, buffer, 100), SYS_listxattr, path, buffer, 100), buffer,
        100);
    say("removexattr", CALL(removexattr(path, name), SYS_removexattr, path, name), "", 0);
}

static void watching(enum way way)
{
    char *path = cold_string("watched"), *name = cold_string("a memfd");
    int fd = inotify_init(), memory;

    touch("watched");
    say("inotify_add_watch",
        CALL(inotify_add_watch(fd, path, IN_OPEN), SYS_inotify_add_watch, fd, path, IN_OPEN), "",
        0);
    touch("watched");
    struct inotify_event *event = cold(sizeof(*event));
    say("event", CALL(read(fd, event, sizeof(*event)), SYS_read, fd, event, sizeof(*event)),
        &event->mask, sizeof(event->mask));
    close(fd);
    memory = (int)CALL(memfd_create(name, 0), SYS_memfd_create, name, 0);
    say("memfd_create", memory >= 0, "", 0);
    close(memory);
}

/* libc goes on from a path on its own: through its own buffers, on the heap. */
static void inside_libc(enum way way)
{
    char *path = cold_string("inside"), *dot = cold_string(".");
    struct dirent *entry;
    unsigned long sum = 0;
    DIR *directory;
    FILE *file;

    if (way != BY_NAME)
        return;
    mkdir("inside", 0700);
    touch("inside/x");
    touch("inside/y");
    chill();
    directory = opendir(path);
    chill();
    while ((entry = readdir(directory)))
        sum += (unsigned char)entry->d_name[0];
    closedir(directory);
    say("readdir", (long)sum, "", 0);
    chill();
    char *real = realpath(path, NULL);
    say("realpath", real != NULL, strrchr(real, '/'), 8);
    free(real);
    chill();
    char *here = getcwd(NULL, 0);
    say("getcwd", here != NULL, "", 0);
    free(here);
    chill();
    file = fopen(cold_string("inside/x"), cold_string("r"));
    say("fopen", fgetc(file), "", 0);
    fclose(file);
    chill();
    say("access", euidaccess(dot, R_OK), "", 0);
    unlink("inside/x");
    unlink("inside/y");
    rmdir("inside");
}

/* Exported by libc for programs that are compiled with _FORTIFY_SOURCE. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __pread64_chk(int fd, void *buffer, size_t size, off_t offset, size_t room);
ssize_t __readlink_chk(const char *path, char *buffer, size_t size, size_t room);
ssize_t __readlinkat_chk(int directory, const char *path, char *buffer, size_t size, size_t room);
char *__getcwd_chk(char *buffer, size_t size, size_t room);

static void say_open(const char *what, int fd)
{
    say(what, fd >= 0, "", 0);
    close(fd);
}

static void fortified(enum way way)
{
    char *path = cold_string("./fortified"), *soft = cold_string("./soft");
    char *buffer = cold(5000);

    if (way != BY_NAME)
        return;
    touch(path);
    if (symlink("target", soft))
        exit(1);
    chill(), say_open("open", __open_2(path, O_RDONLY));
    chill(), say_open("open64", __open64_2(path, O_RDONLY));
    chill(), say_open("openat", __openat_2(AT_FDCWD, path, O_RDONLY));
    chill(), say_open("openat64", __openat64_2(AT_FDCWD, path, O_RDONLY));
    int fd = open(path, O_RDONLY);
    chill(), say("read", __read_chk(fd, buffer, 5000, 5000), buffer, 5000);
    chill(), say("pread", __pread64_chk(fd, buffer, 5000, 1, 5000), buffer, 5000);
    chill(), say("readlink", __readlink_chk(soft, buffer, 5000, 5000), buffer, 5000);
    chill(), say("readlinkat", __readlinkat_chk(AT_FDCWD, soft, buffer, 3, 5000), buffer, 5000);
    chill(), say("getcwd", __getcwd_chk(buffer, 5000, 5000) == buffer, "", 0);
    close(fd);
    unlink(path);
    unlink(soft);
    /* Whoever asks for more than there is room for is ended. */
    pid_t child = fork();
    if (child == 0) {
        freopen("/dev/null", "w", stderr);
        __read_chk(0, buffer, 6, 5);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    say("too much", WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "", 0);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"opening", opening},         {"a name of many pages", a_name_of_many_pages},
        {"describing", describing},   {"changing", changing},
        {"linking", linking},         {"directories", directories},
        {"attributes", attributes},   {"watching", watching},
        {"inside libc", inside_libc}, {"fortified", fortified},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
