/* SPDX-License-Identifier: MIT */
/* Programs started with arguments, environment and file actions that are swapped out. */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>

static int status_of(pid_t child)
{
    int status = -1;

    waitpid(child, &status, 0);
    return status;
}

/* sh -c COMMAND, all of it cold, the array too. */
static char **shell(const char *command)
{
    char *words[4] = {cold_string("sh"), cold_string("-c"), cold_string(command), NULL};

    return cold_copy(words, sizeof(words));
}

static char **environment(void)
{
    char *long_one = cold(3 * PAGE);
    char *words[3] = {cold_string("WORD=from the environment"), long_one, NULL};

    strcpy(long_one, "LONG=");
    memset(long_one + 5, 'x', 2 * PAGE);
    return cold_copy(words, sizeof(words));
}

#define COMMAND "echo $WORD ${#LONG}; exit 7"

/* In a child, because exec does not return. */
#define EXEC(what, call)                                                                           \
    do {                                                                                           \
        fflush(stdout);                                                                            \
        pid_t child = fork();                                                                      \
        if (child == 0) {                                                                          \
            chill();                                                                               \
            call;                                                                                  \
            _exit(99);                                                                             \
        }                                                                                          \
        say(what, status_of(child), "", 0);                                                        \
    } while (0)

static void executing(enum way way)
{
    char **argv = shell(COMMAND), **envp = environment();
    char *path = cold_string("/bin/sh"), *file = cold_string("sh");
    char *onstack[4] = {argv[0], argv[1], argv[2], NULL};

    if (way == BY_NAME) {
        EXEC("execve, array outside", execve(path, onstack, envp));
        EXEC("execvpe", execvpe(file, argv, envp));
        EXEC("execle", execle(path, argv[0], argv[1], argv[2], NULL, envp));
        EXEC("execl", execl(path, argv[0], argv[1], argv[2], NULL));
        EXEC("execlp", execlp(file, argv[0], argv[1], argv[2], NULL));
        EXEC("execv", execv(path, argv));
        EXEC("execvp", execvp(file, argv));
        EXEC("fexecve", fexecve(open(path, O_RDONLY), argv, envp));
    }
    EXEC("execve", CALL(execve(path, argv, envp), SYS_execve, path, argv, envp));
    EXEC("missing", CALL(execve(argv[2], argv, envp), SYS_execve, argv[2], argv, envp));
}

/* The child closes everything it does not know, then needs its memory. */
static void executing_after_vfork(enum way way)
{
    char **argv = shell(COMMAND), **envp = environment();
    char *path = cold_string("/bin/sh");

    fflush(stdout);
    pid_t child = vfork();
    if (child == 0) {
        if (way == BY_NAME)
            closefrom(3);
        else if (way == BY_SYSCALL)
            syscall(SYS_close_range, 3, ~0u, 0);
        for (int fd = 3; way != BY_INSTRUCTION && fd < 1024; fd++)
            close(fd);
        CALL(execve(path, argv, envp), SYS_execve, path, argv, envp);
        _exit(99);
    }
    say("vfork", status_of(child), "", 0);
}

static void spawning(enum way way)
{
    char **argv = shell(COMMAND), **envp = environment();
    char *path = cold_string("/bin/sh"), *file = cold_string("sh"), *out = cold_string("spawned");
    posix_spawn_file_actions_t *actions = cold(sizeof(*actions));
    posix_spawnattr_t *attributes = cold(sizeof(*attributes));
    sigset_t *set = cold(sizeof(*set));
    pid_t *child = cold(sizeof(*child));
    char text[100] = "";

    if (way != BY_NAME)
        return;
    sigfillset(set);
    posix_spawnattr_init(attributes);
    posix_spawnattr_setsigdefault(attributes, set);
    sigemptyset(set);
    posix_spawnattr_setsigmask(attributes, set);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(actions);
    posix_spawn_file_actions_addchdir_np(actions, ".");
    posix_spawn_file_actions_addopen(actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(actions, 1, 2);
    chill();
    say("posix_spawn", posix_spawn(child, path, actions, attributes, argv, envp), "", 0);
    say("status", status_of(*child), "", 0);
    FILE *file_out = fopen("spawned", "r");
    say("output", fgets(text, sizeof(text), file_out) != NULL, text, sizeof(text));
    fclose(file_out);
    chill();
    int error = posix_spawnp(child, file, NULL, NULL, argv, envp);
    say("posix_spawnp", status_of(*child), "", 0);
    say("error", error, "", 0);
    chill();
    say("missing", posix_spawnp(child, out + 1, NULL, NULL, argv, envp), "", 0);
    posix_spawn_file_actions_destroy(actions);
}

/* setenv() puts the array of the environment on the heap; putenv() keeps the string. */
static void running_commands(enum way way)
{
    char *command = cold_string("echo $WORD $MORE; exit 9"), *mode = cold_string("r");
    char *put = cold_string("WORD=put");
    char line[100] = "";

    if (way != BY_NAME)
        return;
    for (int round = 0; round < 3; round++) {
        char number[] = {(char)('0' + round), 0};
        setenv("MORE", number, 1);
        putenv(put);
        chill();
        fflush(stdout);
        say("system", system(command), "", 0);
        chill();
        FILE *stream = popen(command, mode);
        say("popen", fgets(line, sizeof(line), stream) != NULL, line, sizeof(line));
        chill();
        say("pclose", pclose(stream), "", 0);
    }
    unsetenv("WORD");
    unsetenv("MORE");
}

/* Processes made by system call: the child has its memory, too. */
static void forking(enum way way)
{
    const struct clone_args how = {.exit_signal = SIGCHLD};
    struct clone_args *args = cold_copy(&how, sizeof(how));
    char *byte = cold(1);

    if (way != BY_SYSCALL)
        return;
    for (int i = 0; i < 3; i++) {
        *byte = (char)(30 + i);
        fflush(stdout);
        chill();
        long child = i == 0   ? syscall(SYS_fork)
                     : i == 1 ? syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)
                              : syscall(SYS_clone3, args, sizeof(*args));
        if (child == 0)
            _exit(*byte);
        say("fork", status_of((pid_t)child), byte, 1);
    }
}

#define STACK (64 << 10)

static char *shared;

/* The child looks at cold memory and changes it. */
static int look_and_change(void *expected)
{
    bool right = *shared == 7 && *(char *)expected == 7;

    ++*shared;
    return right ? 50 : 51;
}

/* A process by clone(), with the stack at `stack`. Prints how it ends, and what it left here. */
static void clone_one(const char *what, char *stack, int flags)
{
    char *expected = cold(1);

    *shared = *expected = 7;
    fflush(stdout);
    push_out();
    pid_t child = clone(look_and_change, stack + STACK, flags | SIGCHLD, expected);
    say(what, child > 0 ? status_of(child) : -1, shared, 1);
}

/* Its stack is from the heap, or not. */
static void cloning(enum way way)
{
    static char outside[STACK] __attribute__((aligned(16)));
    char *inside = (char *)(((uintptr_t)cold(STACK + PAGE) + PAGE) & ~(uintptr_t)(PAGE - 1));

    if (way != BY_NAME)
        return;
    shared = cold(1);
    for (int i = 0; i < 2; i++) {
        char *stack = i ? inside : outside;

        chill();
        clone_one("apart", stack, 0);
        clone_one("apart, with the same descriptors", stack, CLONE_FILES | CLONE_FS);
        clone_one("apart, waited for", stack, CLONE_VFORK);
        clone_one("shared, waited for", stack, CLONE_VM | CLONE_VFORK | CLONE_FILES);
        chill();
        clone_one("shared", stack, CLONE_VM);
    }
}

/* The kernel tells when the process has ended, in memory that is cold. */
static void waiting_for_a_clone(enum way way)
{
    static char stack[STACK] __attribute__((aligned(16)));
    pid_t *tid = cold(sizeof(*tid)), *parent_tid = cold(sizeof(*parent_tid));
    char *expected = cold(1);

    if (way != BY_NAME)
        return;
    shared = cold(1);
    *tid = -1;
    push_out();
    pid_t child = clone(look_and_change, stack + STACK,
                        CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, expected,
                        parent_tid, NULL, tid);
    for (int i = 0; *(volatile pid_t *)tid && i < 1000; i++) {
        push_out();
        usleep(1000);
    }
    say("ended", *tid, "", 0);
    say("begun", *parent_tid == child, "", 0);
    say("status", status_of(child), shared, 1);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"executing", executing},
        {"executing after vfork", executing_after_vfork},
        {"spawning", spawning},
        {"running commands", running_commands},
        {"forking", forking},
        {"cloning", cloning},
        {"waiting for a clone", waiting_for_a_clone},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
