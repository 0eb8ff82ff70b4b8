/* SPDX-License-Identifier: MIT */
/*
 * A static program: it inherits the filter of a guarded parent and knows nothing of it. Calls of
 * every kind that the guard watches; prints "unharmed".
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

int main(int argc, char **argv)
{
    char text[2][8] = {"one", "two"}, back[16] = "";
    struct iovec vector[2] = {{text[0], 3}, {text[1], 3}}, one = {back, 6};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = 2};
    char *again[] = {argv[0], (char *)"again", NULL};
    sigset_t all;
    void *volatile nowhere = (void *)8;
    int pair[2], status;

    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
    check(writev(pair[0], vector, 2) == 6, "writev");
    check(readv(pair[1], &one, 1) == 6 && strcmp(back, "onetwo") == 0, "readv");
    check(sendmsg(pair[0], &message, 0) == 6, "sendmsg");
    check(read(pair[1], back, 6) == 6, "read");
    check(write(pair[0], nowhere, 6) == -1 && errno == EFAULT, "a wrong pointer");
    sigfillset(&all);
    check(sigprocmask(SIG_BLOCK, &all, NULL) == 0, "sigprocmask");
    if (argc == 1) {
        pid_t child = fork();
        if (child == 0)
            execv(argv[0], again);
        check(waitpid(child, &status, 0) == child && status == 0, "the second of us");
        puts("unharmed");
    }
    return 0;
}
