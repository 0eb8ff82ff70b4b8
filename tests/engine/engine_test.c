/* SPDX-License-Identifier: MIT */
/*
 * The process of a case is told what to do by its arguments: --case NAME SEED DIRECTORY PIPE. Over
 * the pipe it says that it reached a point; its end closes the pipe's last writer.
 *
 * Its time is watched from inside, by a thread that can print statistics, and some seconds later
 * from outside, should that hang too.
 */
#include "engine_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CASE_SECONDS  120
#define GRACE_SECONDS 10

static struct {
    uint64_t seed;
    char directory[256];
    int pipe;
    const struct engine_case *test;
} self;

static unsigned case_seconds(const struct engine_case *test)
{
    return test->seconds ? test->seconds : CASE_SECONDS;
}

/* The parent. */

static void make_directory(const struct engine_case *test, char *path, size_t size)
{
    const char *base = getenv("TMPDIR");
    struct passwd *nobody = getpwnam("nobody");

    snprintf(path, size, "%s/uswap-test-XXXXXX", base ? base : "/var/tmp");
    assert_non_null(mkdtemp(path));
    if (test->as_nobody && nobody)
        assert_int_equal(chown(path, nobody->pw_uid, nobody->pw_gid), 0);
}

static void become_nobody(void)
{
    struct passwd *nobody = getpwnam("nobody");

    if (!nobody || setgroups(0, NULL) || setgid(nobody->pw_gid) || setuid(nobody->pw_uid))
        _exit(126);
}

/* Whether a file in shared memory is a region or pool of this case's process, which has that in its
 * name (shared_kit.c); 0: of one that is gone. */
static bool is_shared_of(const char *name, pid_t pid)
{
    const char *at = strstr(name, "-test-");
    pid_t number = at ? (pid_t)strtol(at + strlen("-test-"), NULL, 10) : 0;

    if (number <= 0 || strncmp(name, "uswap-", strlen("uswap-")))
        return false;
    return pid ? number == pid : kill(number, 0) && errno == ESRCH;
}

/* What a case that failed or was killed has left in shared memory; 0: what cases of programs that
 * were killed have. Returns how many there were. */
static unsigned remove_shared(pid_t pid)
{
    struct dirent *file;
    unsigned found = 0;

    DIR *files = opendir("/dev/shm");
    while (files && (file = readdir(files)))
        if (is_shared_of(file->d_name, pid))
            found += unlinkat(dirfd(files), file->d_name, 0) == 0;
    if (files)
        closedir(files);
    return found;
}

/* The same of its directory, where their stores are. */
static void remove_files(const char *directory)
{
    struct dirent *file;

    DIR *files = opendir(directory);
    while (files && (file = readdir(files)))
        if (file->d_name[0] != '.')
            unlinkat(dirfd(files), file->d_name, 0);
    if (files)
        closedir(files);
    rmdir(directory);
}

static _Noreturn void exec_case(const struct engine_case *test, const char *directory, int pipe_end,
                                int output)
{
    char seed[24];
    char end[12];
    const char *arguments[] = {"engine-case", "--case", test->name, seed, directory, end, NULL};

    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)self.seed);
    snprintf(end, sizeof(end), "%d", pipe_end);
    if (test->as_nobody)
        become_nobody();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDERR_FILENO);
    execv("/proc/self/exe", (char *const *)arguments);
    _exit(127);
}

static void print_file(pid_t pid, const char *thread, const char *name)
{
    char path[512];
    char text[1024] = "";

    snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", (int)pid, thread, name);
    FILE *file = fopen(path, "r");
    if (file) {
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        fclose(file);
    }
    fprintf(stderr, "process %d thread %s %s: %s\n", (int)pid, thread, name, text);
}

static void print_threads(pid_t pid)
{
    char path[64];
    struct dirent *thread;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    while (threads && (thread = readdir(threads))) {
        if (thread->d_name[0] == '.')
            continue;
        print_file(pid, thread->d_name, "syscall");
        print_file(pid, thread->d_name, "stack");
    }
    if (threads)
        closedir(threads);
}

/* What a case that hangs and its children are doing, as far as the kernel tells. */
static void print_group(pid_t group)
{
    struct dirent *process;

    DIR *processes = opendir("/proc");
    while (processes && (process = readdir(processes))) {
        pid_t pid = (pid_t)strtol(process->d_name, NULL, 10);
        if (pid > 0 && getpgid(pid) == group)
            print_threads(pid);
    }
    if (processes)
        closedir(processes);
}

/* Keep the first of what the process writes, pass all of it on. false: end of file. */
static bool read_output(int fd, struct engine_end *end)
{
    char text[4096];
    ssize_t length = read(fd, text, sizeof(text));
    size_t used = strlen(end->output);

    if (length <= 0)
        return false;
    size_t keep = min_u64((uint64_t)length, sizeof(end->output) - 1 - used);
    memcpy(end->output + used, text, keep);
    end->output[used + keep] = '\0';
    fprintf(stderr, "%.*s", (int)length, text);
    return true;
}

/* Until the process has closed its output and the pipe, or its time is over. */
static void follow(const struct engine_case *test, pid_t pid, const int *ends,
                   struct engine_end *end)
{
    struct pollfd polled[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLIN, 0}};
    time_t limit = time(NULL) + case_seconds(test) + GRACE_SECONDS;
    char byte;

    while (polled[0].fd >= 0 || polled[1].fd >= 0) {
        poll(polled, 2, 1000);
        if (time(NULL) > limit) {
            fprintf(stderr, "%s: killed, it hangs\n", test->name);
            print_group(pid);
            kill(-pid, SIGKILL);
            return;
        }
        if (polled[0].revents && !read_output(ends[0], end))
            polled[0].fd = -1;
        if (!polled[1].revents)
            continue;
        if (read(ends[1], &byte, 1) != 1) {
            polled[1].fd = -1;
            continue;
        }
        end->reached = true;
        if (test->kill_when_reached)
            kill(pid, SIGKILL);
    }
}

struct engine_end engine_run(const struct engine_case *test)
{
    struct engine_end end = {0};
    struct rusage usage;
    char directory[256];
    int output[2];
    int reached[2];

    make_directory(test, directory, sizeof(directory));
    assert_int_equal(pipe2(output, O_CLOEXEC) | pipe2(reached, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setpgid(0, 0);
        fcntl(reached[1], F_SETFD, 0);
        exec_case(test, directory, reached[1], output[1]);
    }
    close(output[1]);
    close(reached[1]);
    follow(test, pid, (int[]){output[0], reached[0]}, &end);
    assert_int_equal(wait4(pid, &end.status, 0, &usage), pid);
    kill(-pid, SIGKILL); /* children that it has left behind */
    end.peak_rss = (uint64_t)usage.ru_maxrss * KIB;
    close(output[0]);
    close(reached[0]);
    end.left_shared = remove_shared(pid);
    end.left_files = rmdir(directory) != 0;
    if (end.left_files)
        remove_files(directory);
    return end;
}

static void run_case(void **state)
{
    const struct engine_case *test = *state;

    if (test->as_nobody && geteuid() != 0)
        skip();
    struct engine_end end = engine_run(test);
    int expected = test->kill_when_reached ? SIGKILL : test->signal;
    int died_of = WIFSIGNALED(end.status) ? WTERMSIG(end.status) : 0;
    if (died_of != expected)
        fail_msg("signal %d (%s) ended it, not %d", died_of, strsignal(died_of), expected);
    if (WIFEXITED(end.status))
        assert_int_equal(WEXITSTATUS(end.status), 0);
    if (end.left_files || (end.left_shared && !expected))
        fail_msg("it left something behind");
    if (expected && !end.reached)
        fail_msg("it died too early");
    if (test->judge)
        test->judge(&end, test->parameter);
}

/* The process of a case. */

/* A process that forks while a thread of it begins has, with sanitizers, a child that hangs: locks
 * of their allocator are held in it for ever. */
static sem_t watched;

static void *watch(void *unused)
{
    struct timespec limit = {.tv_sec = case_seconds(self.test)};
    sigset_t all;

    sigfillset(&all); /* the signals of a case are for its own threads */
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    sem_post(&watched);
    nanosleep(&limit, NULL);
    fprintf(stderr, "%s: still running after %u s\n", self.test->name, case_seconds(self.test));
    print_group(getpgrp());
    uswap_write_stats("-");
    abort();
    return unused;
}

static int case_main(const struct engine_case *test, char **arguments)
{
    struct rlimit no_core = {0, 0};
    pthread_t watcher;

    self.seed = strtoull(arguments[0], NULL, 0);
    snprintf(self.directory, sizeof(self.directory), "%s", arguments[1]);
    self.pipe = (int)strtol(arguments[2], NULL, 10);
    self.test = test;
    fcntl(self.pipe, F_SETFD, FD_CLOEXEC);
    setrlimit(RLIMIT_CORE, &no_core);
    sem_init(&watched, 0, 0);
    expect(pthread_create(&watcher, NULL, watch, NULL) == 0);
    sem_wait(&watched);
    test->run(test->parameter);
    return 0;
}

static const struct engine_case *find_case(const char *name, const struct engine_case *cases,
                                           size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    fprintf(stderr, "no case %s\n", name);
    exit(2);
}

static uint64_t choose_seed(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : getenv("USWAP_SEED");

    return text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000 + (uint64_t)getpid();
}

int engine_test_main(int argc, char **argv, const struct engine_case *cases, size_t count)
{
    if (argc == 6 && strcmp(argv[1], "--case") == 0)
        return case_main(find_case(argv[2], cases, count), argv + 3);

    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    if (!tests)
        return 1;
    remove_shared(0);
    self.seed = choose_seed(argc, argv);
    printf("seed %llu\n", (unsigned long long)self.seed);
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL, (void *)&cases[i]};
    int failed = _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL);
    free(tests);
    return failed;
}

_Noreturn void engine_fail(const char *file, int line, const char *condition, const char *format,
                           ...)
{
    va_list arguments;

    fprintf(stderr, "%s:%d: not true: %s (seed %llu)", file, line, condition,
            (unsigned long long)self.seed);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    _exit(1);
}

void engine_reached(void)
{
    expect(write(self.pipe, "r", 1) == 1);
}

const char *engine_directory(void)
{
    return self.directory;
}

uint64_t engine_seed(void)
{
    return self.seed;
}
