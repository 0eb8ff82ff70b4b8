/* SPDX-License-Identifier: MIT */
/*
 * deny CALL[,CALL...] PROGRAM [ARG...]: run the program as on a machine where these system calls
 * are forbidden, as container runtimes do it: they fail with EPERM.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned number;
} calls[] = {
    {"userfaultfd", SYS_userfaultfd},
    {"io_uring", SYS_io_uring_setup},
    {"memfd", SYS_memfd_create},
    {"seccomp", SYS_seccomp},
};

static int deny(unsigned number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static int deny_name(const char *name)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (strcmp(name, calls[i].name) == 0)
            return deny(calls[i].number);
    errno = EINVAL;
    return -1;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: deny CALL[,CALL...] PROGRAM [ARG...]\n", stderr);
        return 125;
    }
    for (char *name = strtok(argv[1], ","); name; name = strtok(NULL, ",")) {
        if (deny_name(name)) {
            perror(name);
            return 125;
        }
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 125;
}
