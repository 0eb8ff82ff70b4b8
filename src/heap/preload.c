/* SPDX-License-Identifier: MIT */
/*
 * Start and end of the preload library. The library is linked with -z initfirst: its constructor
 * runs before those of all other objects, libc included, so that nobody allocates, starts a thread
 * or registers a fork handler earlier. What malloc gave out before lies outside the window and
 * stays there.
 *
 * finish() is the first function registered with libc, so the last one that exit() calls, after all
 * destructors, in whatever thread. _exit(), with which shells end, is interposed. abort() and death
 * by a signal write no statistics.
 */
#include "arena/arena.h"
#include "arena/config.h"
#include "arena/join.h"
#include "arena/sigstack.h"
#include "base/fd.h"
#include "base/msg.h"
#include "base/sys.h"
#include "heap/fork.h"
#include "heap/guard/guard.h"
#include "heap/guard/guard_dispatch.h"
#include "heap/heap.h"
#include "heap/libc.h"
#include "heap/map/map.h"
#include "heap/map/map_runtime.h"
#include "observe/stats.h"
#include "observe/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct uswap_options options;
static bool children; /* whether what the program executes runs under uswap, too */
static pid_t started_by;
static int spare_stderr; /* -1: there was no stderr to begin with */

/* Programs that close stderr when they exit, as those of coreutils do, have done so by now. */
static void write_stats(void)
{
    if (fcntl(STDERR_FILENO, F_GETFD) < 0 && spare_stderr >= 0)
        dup2(spare_stderr, STDERR_FILENO);
    uswap_write_stats(options.stats_path);
}

/* A child that was forked leaves the file of statistics to its parent, unless each process has its
 * own. */
static void finish(int status, void *unused)
{
    if (options.stats_path && getpid() == started_by)
        write_stats();
    trace_finish();
}

/* Also in a signal handler: no lock is held where one can run. In a child of vfork() this is the
 * parent's memory, but not its process. */
exported __attribute__((noreturn)) void _exit(int status)
{
    finish(status, NULL);
    for (;;)
        sys_call(SYS_exit_group, status);
}

exported __attribute__((noreturn, alias("_exit"))) void _Exit(int status);

/* Those that begin so. Not by unsetenv(): programs bring their own, which do not work before main()
 * (bash). */
static void forget_variables(char **environment, const char *beginning, size_t length)
{
    char **to = environment;

    for (char **from = environment; *from; from++) {
        if (strncmp(*from, beginning, length) != 0)
            *to++ = *from;
    }
    *to = NULL;
}

/* In a child of fork(); one of vfork() still has its parent's counters. */
static void own_stats(void)
{
    started_by = getpid();
}

/* Whether an entry of LD_PRELOAD, of this length, is this library. */
static bool is_this_library(const char *entry, size_t length)
{
    static const char name[] = "libuswap-preload.so";
    size_t size = sizeof(name) - 1;

    return length >= size && memcmp(entry + length - size, name, size) == 0 &&
           (length == size || entry[length - size - 1] == '/');
}

/* Take this library out of the list, in place, with what separates it from the next one. */
static void leave_list(char *list)
{
    char *to = list;

    while (*list) {
        size_t length = strcspn(list, " :");
        size_t whole = length + (list[length] != '\0');

        if (!is_this_library(list, length)) {
            memmove(to, list, whole);
            to += whole;
        }
        list += whole;
    }
    *to = '\0';
}

/* Whoever executes a program, and in whatever way, hands this environment down. */
static void leave_environment(char **environment)
{
    static const char list[] = "LD_PRELOAD=";
    const size_t length = sizeof(list) - 1;

    forget_variables(environment, "USWAP_", 6);
    for (char **at = environment; *at; at++)
        if (strncmp(*at, list, length) == 0)
            leave_list(*at + length);
    forget_variables(environment, list, sizeof(list)); /* with its end: the list is empty */
}

/* What the program executes runs under uswap, too, and must not write to the same place: the
 * statistics are those of this process. `uswap run` has named it in the environment, so that it
 * writes them also when it is another program by then, as after a script that ends in exec. */
static int plan_stats(char **environment)
{
    bool each = stats_find_pid(options.stats_path) != NULL;

    if (!each && !getenv(CONFIG_STATS_PID))
        forget_variables(environment, "USWAP_STATS=", 12);
    started_by = getpid();
    spare_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (spare_stderr >= 0)
        spare_stderr = fd_move_high(spare_stderr);
    return each ? -pthread_atfork(NULL, NULL, own_stats) : 0;
}

static int start(void)
{
    int error = uswap_options_from_env(&options);

    libc_find();
    guard_dispatch_prepare();
    sigstack_start();
    if (map_runtime_is_go())
        sigstack_stay();
    if (!error)
        error = config_children_from_environment(environ, &children);
    if (!error)
        error = arena_start(&options);
    if (error)
        return error; /* a message said why */
    error = guard_start();
    if (error) {
        msg_error("cannot start the guard of system calls: error %d", -error);
        return error;
    }
    error = fork_register();
    if (!error)
        error = heap_start();
    if (error)
        msg_error("cannot start the heap: out of memory");
    else
        map_start(options.mmap_threshold ? options.mmap_threshold : CONFIG_MMAP_NONE);
    return error;
}

/*
 * A program of the tree that has become another user may not write where the stores are: su, or a
 * server that starts programs. It begins again without uswap, rather than not at all.
 */
static void begin_without(char **argv, char **envp)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (length < 0)
        return;
    path[length] = '\0';
    msg_warning("%s runs without uswap, beyond the RAM budget", path);
    leave_environment(envp);
    sys_call(SYS_execve, path, argv, envp);
}

static bool is_denied(int error)
{
    return error == -EACCES || error == -EPERM || error == -EROFS;
}

__attribute__((constructor)) static void preload_start(int argc, char **argv, char **envp)
{
    if (!environ)
        environ = envp; /* libc has not been initialised yet */
    int error = start();
    if (is_denied(error) && join_is_inherited(options.pool))
        begin_without(argv, envp);
    if (error || (options.stats_path && plan_stats(envp)))
        _exit(2);
    if (!children)
        leave_environment(envp);
    on_exit(finish, NULL);
}
