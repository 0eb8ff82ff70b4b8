/* SPDX-License-Identifier: MIT */
/* Programs started with arguments, environment and file actions that are swapped out. */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <spawn.h>
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

int main(void)
{
    static const struct cold_case cases[] = {
        {"executing", executing}, {"executing after vfork", executing_after_vfork},
        {"spawning", spawning},   {"running commands", running_commands},
        {"forking", forking},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
