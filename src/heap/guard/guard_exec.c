/* SPDX-License-Identifier: MIT */
/*
 * The interposed functions that start programs. libc's own do the work, with copies of what lies in
 * the window: exec reads argument strings in the kernel, and the child of posix_spawn(), system()
 * and popen() runs on our memory without handlers.
 */
#include "heap/guard/guard_copy.h"
#include "heap/guard/guard_environ.h"
#include "heap/guard/guard_real.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int fail(int error)
{
    errno = -error;
    return -1;
}

/* ---- exec ---- */

typedef int (*exec_fn)(const char *path, char *const argv[], char *const envp[]);

static int launch_exec(exec_fn exec, const char *path, char *const argv[], char *const envp[])
{
    struct guard_launch launch = {.path = path, .argv = argv, .envp = envp};
    int error = guard_copy(&launch);

    if (error)
        return fail(error);
    exec(launch.path, launch.argv, launch.envp);
    error = -errno;
    guard_copy_release();
    return fail(error);
}

exported int execve(const char *path, char *const argv[], char *const envp[])
{
    return launch_exec(REAL(execve), path, argv, envp);
}

exported int execv(const char *path, char *const argv[])
{
    return launch_exec(REAL(execve), path, argv, environ);
}

exported int execvpe(const char *file, char *const argv[], char *const envp[])
{
    return launch_exec(REAL(execvpe), file, argv, envp);
}

exported int execvp(const char *file, char *const argv[])
{
    return launch_exec(REAL(execvpe), file, argv, environ);
}

exported int fexecve(int fd, char *const argv[], char *const envp[])
{
    struct guard_launch launch = {.argv = argv, .envp = envp};
    int error = guard_copy(&launch);

    if (error)
        return fail(error);
    REAL(fexecve)(fd, launch.argv, launch.envp);
    error = -errno;
    guard_copy_release();
    return fail(error);
}

static size_t count_arguments(va_list arguments)
{
    size_t count = 1;

    while (va_arg(arguments, char *))
        count++;
    return count;
}

/* The array of execl() and its kin: first, and the variable arguments up to NULL. */
#define WITH_ARGV(argv, first, list)                                                               \
    va_list list;                                                                                  \
    va_start(list, first);                                                                         \
    size_t count_ = count_arguments(list);                                                         \
    va_end(list);                                                                                  \
    char **argv = __builtin_alloca((count_ + 1) * sizeof(char *));                                 \
    va_start(list, first);                                                                         \
    argv[0] = (char *)(uintptr_t)first;                                                            \
    for (size_t i = 1; i <= count_; i++)                                                           \
        argv[i] = va_arg(list, char *);

exported int execl(const char *path, const char *first, ...)
{
    WITH_ARGV(argv, first, list)
    va_end(list);
    return execv(path, argv);
}

exported int execlp(const char *file, const char *first, ...)
{
    WITH_ARGV(argv, first, list)
    va_end(list);
    return execvp(file, argv);
}

exported int execle(const char *path, const char *first, ...)
{
    WITH_ARGV(argv, first, list)
    char *const *envp = va_arg(list, char *const *);
    va_end(list);
    return execve(path, argv, envp);
}

/* ---- Children ---- */

exported int posix_spawn(pid_t *restrict pid, const char *restrict path,
                         const posix_spawn_file_actions_t *actions,
                         const posix_spawnattr_t *restrict attributes, char *const argv[],
                         char *const envp[])
{
    struct guard_launch launch = {
        .path = path, .argv = argv, .envp = envp, .actions = actions, .attributes = attributes};
    int error = guard_copy(&launch);

    if (error)
        return -error;
    error = REAL(posix_spawn)(pid, launch.path, launch.actions, launch.attributes, launch.argv,
                              launch.envp);
    guard_copy_release();
    return error;
}

static void release(void *pins)
{
    guard_pins_close(*(guard_pins *)pins);
    guard_copy_release();
}

/* The child looks for PATH in environ. */
exported int posix_spawnp(pid_t *restrict pid, const char *restrict file,
                          const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *restrict attributes, char *const argv[],
                          char *const envp[])
{
    struct guard_launch launch = {
        .path = file, .argv = argv, .envp = envp, .actions = actions, .attributes = attributes};
    int error = guard_copy(&launch);

    if (error)
        return -error;
    guard_pins pins = guard_pins_open();
    guard_environ_hold();
    error = REAL(posix_spawnp)(pid, launch.path, launch.actions, launch.attributes, launch.argv,
                               launch.envp);
    release(&pins);
    return error;
}

exported int system(const char *command)
{
    struct guard_launch launch = {.path = command};
    int status, error = guard_copy(&launch);

    if (error)
        return fail(error);
    guard_pins pins = guard_pins_open();
    pthread_cleanup_push(release, &pins);
    guard_environ_hold();
    status = REAL(system)(launch.path);
    pthread_cleanup_pop(1);
    return status;
}

exported FILE *popen(const char *command, const char *mode)
{
    struct guard_launch launch = {.path = command};
    int error = guard_copy(&launch);

    if (error) {
        fail(error);
        return NULL;
    }
    guard_pins pins = guard_pins_open();
    guard_environ_hold();
    FILE *stream = REAL(popen)(launch.path, mode);
    release(&pins);
    return stream;
}
