/* SPDX-License-Identifier: MIT */
/* Signals and threads while system calls wait with memory that was swapped out. */
#include "cold.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static sigjmp_buf jump;
static volatile sig_atomic_t caught;
static int pipes[2];
static char *touched;

static void count(int signo)
{
    caught++;
}

/* What the waiting call waits for. */
static void answer(int signo)
{
    caught++;
    if (write(pipes[1], "x", 1) != 1)
        _exit(1);
}

static void leave(int signo)
{
    siglongjmp(jump, 1);
}

/* Again and again: on a busy machine the first may come before the call that it is to interrupt. */
static void alarm_soon(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    struct itimerval soon = {.it_value.tv_usec = 30000, .it_interval.tv_usec = 30000};

    caught = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
}

static void alarm_off(void)
{
    int before = errno;
    struct itimerval off = {0};

    setitimer(ITIMER_REAL, &off, NULL);
    errno = before;
}

/* The memory stays as it is: making it cold takes long, and uses malloc(). */
#define WAITING_READ(buffer)                                                                       \
    CALL_AS_IT_IS(read(pipes[0], buffer, 100), SYS_read, pipes[0], buffer, 100)

static void interrupted(enum way way)
{
    char *buffer = cold(100);

    if (pipe(pipes))
        exit(1);
    chill();
    alarm_soon(count, 0);
    long result = WAITING_READ(buffer);
    alarm_off();
    say("not restarted", result, buffer, 100);
    say("caught", caught > 0, "", 0);
    chill();
    alarm_soon(answer, SA_RESTART);
    result = WAITING_READ(buffer);
    alarm_off();
    say("restarted", result >= 1, buffer, 1);
    say("caught", caught > 0, "", 0);
    close(pipes[0]);
    close(pipes[1]);
}

/* The memory can leave again after the next call: its pin is not left behind. */
static void left_by_a_jump(enum way way)
{
    char *buffer = cold(100);

    if (pipe(pipes))
        exit(1);
    chill(); /* not while the alarm is on: a jump out of malloc() would break that */
    for (int i = 0; i < 3; i++) {
        if (sigsetjmp(jump, 1) == 0) {
            alarm_soon(leave, 0);
            WAITING_READ(buffer);
            say("not reached", 0, "", 0);
        }
        alarm_off();
    }
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    say("after it", WAITING_READ(buffer), "", 0);
    chill();
    say("cold again", 0, buffer, 100);
    close(pipes[0]);
    close(pipes[1]);
}

static void touch(int signo)
{
    caught = touched[0];
}

/* The handler runs with every signal blocked. */
static void everything_blocked(enum way way)
{
    struct sigaction action = {.sa_handler = touch}, back;
    sigset_t all, old, now;

    touched = cold(100);
    touched[0] = 42;
    sigfillset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR1, NULL, &back);
    say("mask of the action", sigismember(&back.sa_mask, SIGBUS), &back.sa_mask, 8);
    chill();
    raise(SIGUSR1);
    say("handler", caught, "", 0);
    sigfillset(&all);
    if (way == BY_NAME)
        sigprocmask(SIG_SETMASK, &all, &old);
    else
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
    sigprocmask(SIG_BLOCK, NULL, &now);
    say("mask", sigismember(&now, SIGBUS), &now, 8);
    chill();
    say("touched", touched[0], "", 0);
    chill();
    say("uname", CALL(access(touched, R_OK), SYS_access, touched, R_OK), "", 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/* What Go's runtime does: masks and actions by instruction, with everything on the stack. */
struct raw_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static void without_libc(enum way way)
{
    uint64_t all = ~(uint64_t)(1 << (SIGKILL - 1) | 1 << (SIGSTOP - 1)), before = 0, now = 0;
    struct raw_action action = {SIG_IGN, 0, NULL, 0}, was = {0}, back = {0};

    touched = cold(100);
    touched[0] = 42;
    action.mask = all;
    for (int signo = SIGBUS; signo <= SIGSYS; signo += SIGSYS - SIGBUS) {
        say("action", CALL(0L, SYS_rt_sigaction, signo, &action, &was, 8), "", 0);
        say("touched", touched[0], "", 0);
        say("back", CALL(0L, SYS_rt_sigaction, signo, &was, &back, 8), "", 0);
        say("same", way == BY_NAME || (back.handler == SIG_IGN && back.mask == all), "", 0);
    }
    if (way == BY_NAME)
        return;
    say("block", CALL(0L, SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, 8), "", 0);
    chill();
    say("touched", touched[0], "", 0);
    say("written", CALL(0L, SYS_write, -1, touched, 1), "", 0);
    say("ask", CALL(0L, SYS_rt_sigprocmask, SIG_SETMASK, &before, &now, 8), &now, 8);
}

/* A child that is made without libc has the memory, too. */
static void forked_without_libc(enum way way)
{
    int status = 0;

    touched = cold(100);
    touched[0] = 42;
    fflush(stdout);
    long child = CALL(fork(), SYS_fork);
    if (child == 0) {
        chill();
        _exit(touched[0]);
    }
    waitpid((pid_t)child, &status, 0);
    say("child", WEXITSTATUS(status), "", 0);
    say("parent", touched[0], "", 0);
}

/* The handler of the program uses memory that is cold. */
static void note_address(int signo, siginfo_t *info, void *context)
{
    caught = signo * 100 + info->si_code + touched[0];
    siglongjmp(jump, 1);
}

/* A file that is shorter than its mapping. */
static void own_bus_handler(enum way way)
{
    struct sigaction action = {.sa_sigaction = note_address, .sa_flags = SA_SIGINFO}, back;
    int fd = open("short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    volatile char *mapped = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char *buffer = cold(100);

    touched = cold(100);
    touched[0] = 42;
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGBUS, NULL, &back);
    say("action", back.sa_sigaction == note_address, "", 0);
    say("flags", back.sa_flags & SA_SIGINFO, "", 0);
    chill();
    if (sigsetjmp(jump, 1) == 0)
        say("read", mapped[0], "", 0);
    say("caught", caught, "", 0);
    say("memory", buffer[0], buffer, 100);
    say("previous", (uintptr_t)signal(SIGBUS, SIG_DFL) == (uintptr_t)note_address, "", 0);
    munmap((void *)mapped, PAGE);
    close(fd);
}

static void own_sys_handler(enum way way)
{
    struct sigaction action = {.sa_handler = count};

    caught = 0;
    sigaction(SIGSYS, &action, NULL);
    raise(SIGSYS);
    kill(getpid(), SIGSYS);
    say("caught", caught, "", 0);
    signal(SIGSYS, SIG_IGN);
    raise(SIGSYS);
    say("ignored", caught, "", 0);
    signal(SIGSYS, SIG_DFL);
}

static void *wait_for_ever(void *buffer)
{
    return (void *)read(pipes[0], buffer, 100);
}

static void cancelled(enum way way)
{
    char *buffer = cold(100);
    pthread_t thread;
    void *result = NULL;

    if (way != BY_NAME)
        return;
    if (pipe(pipes))
        exit(1);
    for (int i = 0; i < 3; i++) {
        chill();
        pthread_create(&thread, NULL, wait_for_ever, buffer);
        usleep(30000);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        say("cancelled", result == PTHREAD_CANCELED, "", 0);
    }
    chill();
    close(pipes[0]);
    close(pipes[1]);
}

static void *add(void *bytes)
{
    return (void *)(long)((char *)bytes)[0];
}

/* A new thread reads its locale, which lies on the heap, before it opens its signals. */
static void started_in_the_cold(enum way way)
{
    char *buffer = cold(100);
    pthread_attr_t *attributes = cold(sizeof(*attributes));
    pthread_t thread;
    long sum = 0;

    if (way != BY_NAME)
        return;
    buffer[0] = 5;
    pthread_attr_init(attributes);
    for (int i = 0; i < 20; i++) {
        void *result;
        chill();
        pthread_create(&thread, attributes, add, buffer);
        pthread_join(thread, &result);
        sum += (long)result;
    }
    say("sum", sum, "", 0);
}

static volatile int expired;

static void expire(union sigval value)
{
    expired += ((char *)value.sival_ptr)[0];
}

/* libc has a thread for this, with all signals blocked. */
static void timers(enum way way)
{
    char *buffer = cold(100);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD};
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    timer_t timer;

    if (way != BY_NAME)
        return;
    buffer[0] = 4;
    event.sigev_notify_function = expire;
    event.sigev_value.sival_ptr = buffer;
    expired = 0;
    for (int i = 1; i <= 5; i++) {
        say("create", timer_create(CLOCK_MONOTONIC, &event, &timer), "", 0);
        chill();
        timer_settime(timer, 0, &soon, NULL);
        for (int tries = 0; expired < 4 * i && tries < 1000; tries++)
            usleep(1000);
        timer_delete(timer);
    }
    say("expired", expired, "", 0);
}

/* So it has for asynchronous IO. */
static void asynchronous(enum way way)
{
    char *buffer = cold(3000);
    struct aiocb *block = cold(sizeof(*block));
    const struct aiocb *list[1] = {block};
    int fd = open("asynchronous", O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (way != BY_NAME)
        return;
    memset(buffer, 'a', 3000);
    for (int i = 0; i < 5; i++) {
        memset(block, 0, sizeof(*block));
        block->aio_fildes = fd;
        block->aio_buf = buffer;
        block->aio_nbytes = 3000;
        block->aio_offset = i * 1000;
        chill();
        say("start", i % 2 ? aio_read(block) : aio_write(block), "", 0);
        while (aio_error(block) == EINPROGRESS)
            aio_suspend(list, 1, NULL);
        say("end", aio_return(block), buffer, 3000);
    }
    close(fd);
}

/* And for looking up names. */
static void looking_up(enum way way)
{
    struct gaicb *request = cold(sizeof(*request));
    struct gaicb **list = cold_copy(&request, sizeof(request));
    const struct gaicb *waited[1] = {request};

    if (way != BY_NAME)
        return;
    request->ar_name = cold_string("127.0.0.1");
    request->ar_service = cold_string("80");
    chill();
    say("start", getaddrinfo_a(GAI_NOWAIT, list, 1, NULL), "", 0);
    while (gai_error(request) == EAI_INPROGRESS)
        gai_suspend(waited, 1, NULL);
    say("end", gai_error(request), request->ar_result->ai_addr, 8);
    freeaddrinfo(request->ar_result);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"interrupted", interrupted},
        {"left by a jump", left_by_a_jump},
        {"everything blocked", everything_blocked},
        {"without libc", without_libc},
        {"forked without libc", forked_without_libc},
        {"own SIGBUS handler", own_bus_handler},
        {"own SIGSYS handler", own_sys_handler},
        {"cancelled", cancelled},
        {"started in the cold", started_in_the_cold},
        {"timers", timers},
        {"asynchronous", asynchronous},
        {"looking up", looking_up},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
