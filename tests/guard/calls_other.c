/* SPDX-License-Identifier: MIT */
/* System calls of waiting, time, signals, processes and System V, on memory that is swapped out. */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

static void waiting(enum way way)
{
    int *pipes = cold(2 * sizeof(int));
    struct pollfd *polled = cold(2 * sizeof(*polled));
    struct timespec *timeout = cold(sizeof(*timeout));
    fd_set *set = cold(sizeof(*set));

    say("pipe", CALL(pipe(pipes), SYS_pipe, pipes), "", 0);
    polled[0] = (struct pollfd){pipes[0], POLLIN, 0};
    polled[1] = (struct pollfd){pipes[1], POLLOUT, 0};
    say("poll", CALL(poll(polled, 2, 0), SYS_poll, polled, 2, 0), &polled[1].revents, 2);
    timeout->tv_nsec = 1000000;
    polled[1].revents = 0;
    say("ppoll", CALL(ppoll(polled, 1, timeout, NULL), SYS_ppoll, polled, 1, timeout, 0, 8),
        &polled[0].revents, 2);
    FD_SET(pipes[1], set);
    say("select",
        CALL(select(pipes[1] + 1, NULL, set, NULL, NULL), SYS_select, pipes[1] + 1, 0, set, 0, 0),
        set, sizeof(*set));
    timeout->tv_nsec = 1000000;
    say("pselect",
        CALL(pselect(pipes[1] + 1, NULL, set, NULL, timeout, NULL), SYS_pselect6, pipes[1] + 1, 0,
             set, 0, timeout, 0L),
        set, sizeof(*set));
    close(pipes[0]);
    close(pipes[1]);
}

static void epolling(enum way way)
{
    struct epoll_event *events = cold(4 * sizeof(*events));
    int pair[2], fd = epoll_create1(0);

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        exit(1);
    events[0] = (struct epoll_event){.events = EPOLLOUT, .data.u64 = 0x123456789abc};
    say("epoll_ctl",
        CALL(epoll_ctl(fd, EPOLL_CTL_ADD, pair[0], events), SYS_epoll_ctl, fd, EPOLL_CTL_ADD,
             pair[0], events),
        "", 0);
    memset(events, 0, 4 * sizeof(*events));
    say("epoll_wait", CALL(epoll_wait(fd, events, 4, 0), SYS_epoll_wait, fd, events, 4, 0), events,
        4 * sizeof(*events));
    memset(events, 0, 4 * sizeof(*events));
    say("epoll_pwait",
        CALL(epoll_pwait(fd, events, 4, 0, NULL), SYS_epoll_pwait, fd, events, 4, 0, 0, 8), events,
        4 * sizeof(*events));
    close(fd), close(pair[0]), close(pair[1]);
}

static void time_passing(enum way way)
{
    struct timespec *one = cold(sizeof(*one)), *other = cold(sizeof(*other));
    struct itimerspec *timer = cold(sizeof(*timer)), *old = cold(sizeof(*old));

    one->tv_nsec = 1000000;
    say("nanosleep", CALL(nanosleep(one, other), SYS_nanosleep, one, other), other, sizeof(*other));
    say("clock_nanosleep",
        CALL(-clock_nanosleep(CLOCK_MONOTONIC, 0, one, NULL), SYS_clock_nanosleep, CLOCK_MONOTONIC,
             0, one, 0),
        "", 0);
    say("clock_gettime",
        CALL(clock_gettime(CLOCK_REALTIME, other), SYS_clock_gettime, CLOCK_REALTIME, other), "",
        0);
    say("a clock", other->tv_sec > 1000000000, "", 0);
    say("clock_getres",
        CALL(clock_getres(CLOCK_REALTIME, other), SYS_clock_getres, CLOCK_REALTIME, other), other,
        sizeof(*other));
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    timer->it_value.tv_nsec = 1000000;
    say("timerfd_settime",
        CALL(timerfd_settime(fd, 0, timer, old), SYS_timerfd_settime, fd, 0, timer, old), old,
        sizeof(*old));
    uint64_t *count = cold(sizeof(*count));
    say("timerfd read", CALL(read(fd, count, 8), SYS_read, fd, count, 8), count, 8);
    close(fd);
    struct itimerval *interval = cold(sizeof(*interval));
    interval->it_value.tv_sec = 1000;
    say("setitimer",
        CALL(setitimer(ITIMER_REAL, interval, NULL), SYS_setitimer, ITIMER_REAL, interval, 0), "",
        0);
    say("getitimer", CALL(getitimer(ITIMER_REAL, interval), SYS_getitimer, ITIMER_REAL, interval),
        "", 0);
    say("left", interval->it_value.tv_sec > 900, "", 0);
    memset(interval, 0, sizeof(*interval));
    setitimer(ITIMER_REAL, interval, NULL);
}

static volatile sig_atomic_t caught;

static void catch (int signo)
{
    caught = signo;
}

/* By system call the kernel's set is eight bytes; by name a sigset_t. */
static void masks(enum way way)
{
    sigset_t *set = cold(sizeof(*set)), *old = cold(sizeof(*old));
    siginfo_t *info = cold(sizeof(*info));
    struct timespec *timeout = cold(sizeof(*timeout));

    sigaddset(set, SIGUSR1);
    say("block", CALL(sigprocmask(SIG_BLOCK, set, old), SYS_rt_sigprocmask, SIG_BLOCK, set, old, 8),
        old, 8);
    raise(SIGUSR1);
    say("pending", CALL(sigpending(old), SYS_rt_sigpending, old, 8), old, 8);
    int fd = signalfd(-1, set, SFD_NONBLOCK);
    say("signalfd", fd >= 0, "", 0);
    say("wait", CALL(sigtimedwait(set, info, timeout), SYS_rt_sigtimedwait, set, info, timeout, 8),
        &info->si_signo, sizeof(int));
    say("wait again",
        CALL(sigtimedwait(set, info, timeout), SYS_rt_sigtimedwait, set, info, timeout, 8), "", 0);
    close(fd);
    sigfillset(set);
    say("block all",
        CALL(sigprocmask(SIG_BLOCK, set, old), SYS_rt_sigprocmask, SIG_BLOCK, set, old, 8), old, 8);
    say("ask", CALL(sigprocmask(0, NULL, old), SYS_rt_sigprocmask, 0, 0, old, 8), old, 8);
    sigemptyset(set);
    say("open all",
        CALL(sigprocmask(SIG_SETMASK, set, old), SYS_rt_sigprocmask, SIG_SETMASK, set, old, 8), old,
        8);
    say("ask", CALL(sigprocmask(0, NULL, old), SYS_rt_sigprocmask, 0, 0, old, 8), old, 8);
}

static void actions(enum way way)
{
    struct sigaction *action = cold(sizeof(*action)), *old = cold(sizeof(*old));
    stack_t *stack = cold(sizeof(*stack));

    /* The kernel's structure is another: it is asked for by name only. */
    if (way == BY_NAME) {
        action->sa_handler = catch;
        sigfillset(&action->sa_mask);
        chill();
        say("sigaction", sigaction(SIGUSR2, action, NULL), "", 0);
        chill();
        say("sigaction again", sigaction(SIGUSR2, NULL, old), &old->sa_mask, 8);
        raise(SIGUSR2);
        say("caught", caught, "", 0);
    }
    stack->ss_size = 65536;
    stack->ss_sp = malloc(stack->ss_size);
    say("sigaltstack", CALL(sigaltstack(stack, NULL), SYS_sigaltstack, stack, 0), "", 0);
    memset(stack, 0, sizeof(*stack));
    say("sigaltstack", CALL(sigaltstack(NULL, stack), SYS_sigaltstack, 0, stack), &stack->ss_size,
        sizeof(stack->ss_size));
    void *memory = stack->ss_sp;
    stack->ss_flags = SS_DISABLE;
    sigaltstack(stack, NULL);
    free(memory);
}

static pid_t child_that_exits(int code)
{
    pid_t child = fork();

    if (child == 0)
        _exit(code);
    return child;
}

static void children(enum way way)
{
    struct rusage *usage = cold(sizeof(*usage));
    siginfo_t *info = cold(sizeof(*info));
    int *status = cold(sizeof(*status));
    pid_t child = child_that_exits(3);

    say("wait4", CALL(wait4(child, status, 0, usage), SYS_wait4, child, status, 0, usage) == child,
        status, sizeof(*status));
    child = child_that_exits(4);
    say("waitid",
        CALL(waitid(P_PID, (id_t)child, info, WEXITED), SYS_waitid, P_PID, child, info, WEXITED, 0),
        &info->si_status, sizeof(int));
    say("getrusage", CALL(getrusage(RUSAGE_SELF, usage), SYS_getrusage, RUSAGE_SELF, usage), "", 0);
    say("used", usage->ru_maxrss > 0, "", 0);
}

static void the_system(enum way way)
{
    struct utsname *name = cold(sizeof(*name));
    struct sysinfo *info = cold(sizeof(*info));
    struct rlimit *limit = cold(sizeof(*limit)), *old = cold(sizeof(*old));
    cpu_set_t *cpus = cold(sizeof(*cpus));
    uid_t *ids = cold(3 * sizeof(*ids));
    gid_t *groups = cold(100 * sizeof(*groups));
    struct sched_param *param = cold(sizeof(*param));
    char *text = cold(16);

    say("uname", CALL(uname(name), SYS_uname, name), name, sizeof(*name));
    say("sysinfo", CALL(sysinfo(info), SYS_sysinfo, info), &info->totalram, 8);
    say("getrlimit", CALL(getrlimit(RLIMIT_STACK, limit), SYS_getrlimit, RLIMIT_STACK, limit),
        limit, sizeof(*limit));
    say("prlimit",
        CALL(prlimit(0, RLIMIT_STACK, limit, old), SYS_prlimit64, 0, RLIMIT_STACK, limit, old), old,
        sizeof(*old));
    say("getaffinity", CALL(sched_getaffinity(0, 8, cpus), SYS_sched_getaffinity, 0, 8, cpus) >= 0,
        cpus, 8);
    say("getresuid", CALL(getresuid(ids, ids + 1, ids + 2), SYS_getresuid, ids, ids + 1, ids + 2),
        ids, 12);
    say("getgroups", CALL(getgroups(100, groups), SYS_getgroups, 100, groups), groups, 400);
    say("getparam", CALL(sched_getparam(0, param), SYS_sched_getparam, 0, param), param, 4);
    strcpy(text, "a new name");
    say("set name", CALL(prctl(PR_SET_NAME, text), SYS_prctl, PR_SET_NAME, text, 0, 0, 0), "", 0);
    memset(text, 0, 16);
    say("get name", CALL(prctl(PR_GET_NAME, text), SYS_prctl, PR_GET_NAME, text, 0, 0, 0), text,
        16);
}

static void futexes(enum way way)
{
    uint32_t *word = cold(sizeof(*word));
    struct timespec *timeout = cold(sizeof(*timeout));

    *word = 5;
    timeout->tv_nsec = 1000000;
    if (way == BY_NAME)
        return;
    say("other value", CALL(0L, SYS_futex, word, FUTEX_WAIT_PRIVATE, 4, timeout), "", 0);
    say("time out", CALL(0L, SYS_futex, word, FUTEX_WAIT_PRIVATE, 5, timeout), "", 0);
    say("wake", CALL(0L, SYS_futex, word, FUTEX_WAKE_PRIVATE, 1), "", 0);
}

static void system_v(enum way way)
{
    struct {
        long type;
        char text[5000];
    } *message = cold(sizeof(*message));
    struct sembuf *operation = cold(sizeof(*operation));
    int queue = msgget(IPC_PRIVATE, 0600), set = semget(IPC_PRIVATE, 1, 0600);

    message->type = 3;
    strcpy(message->text + 4000, "text");
    say("msgsnd", CALL(msgsnd(queue, message, 5000, 0), SYS_msgsnd, queue, message, 5000, 0), "",
        0);
    memset(message, 0, sizeof(*message));
    say("msgrcv", CALL(msgrcv(queue, message, 5000, 0, 0), SYS_msgrcv, queue, message, 5000, 0, 0),
        message, sizeof(*message));
    struct msqid_ds *state = cold(sizeof(*state));
    say("msgctl", CALL(msgctl(queue, IPC_STAT, state), SYS_msgctl, queue, IPC_STAT, state),
        &state->msg_qnum, sizeof(state->msg_qnum));
    operation->sem_op = 2;
    say("semop", CALL(semop(set, operation, 1), SYS_semop, set, operation, 1), "", 0);
    say("value", semctl(set, 0, GETVAL), "", 0);
    msgctl(queue, IPC_RMID, NULL);
    semctl(set, 0, IPC_RMID);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"waiting", waiting},       {"epolling", epolling}, {"time passing", time_passing},
        {"masks", masks},           {"actions", actions},   {"children", children},
        {"the system", the_system}, {"futexes", futexes},   {"system V", system_v},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
