/* SPDX-License-Identifier: MIT */
/*
 * peak FILE PROGRAM [ARG...]: run the program, write its peak resident size in KiB to FILE, and end
 * as it ended (128 + the signal that killed it).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 125;
}

static int write_number(const char *path, long number)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    fprintf(file, "%ld\n", number);
    return fclose(file);
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    pid_t child;

    if (argc < 3) {
        fputs("usage: peak FILE PROGRAM [ARG...]\n", stderr);
        return 125;
    }
    child = fork();
    if (child < 0)
        return fail("fork");
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(fail(argv[2]));
    }
    if (wait4(child, &status, 0, &usage) < 0)
        return fail("wait4");
    if (write_number(argv[1], usage.ru_maxrss))
        return fail(argv[1]);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
