/* SPDX-License-Identifier: MIT */
/* The program's own handlers, wild accesses and ends by a signal, with memory that is swapped out.
 */
#include "cold.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static sigjmp_buf jump;
static volatile sig_atomic_t caught, summed;
static char *touched;
static char *volatile nowhere = (char *)8;
static volatile siginfo_t seen;

static void prepare(void)
{
    touched = cold(100);
    touched[0] = 3;
    caught = summed = 0;
}

static void note_and_leave(int signo, siginfo_t *info, void *context)
{
    caught += touched[0];
    *(siginfo_t *)&seen = *info;
    siglongjmp(jump, 1);
}

static void install(int signo, int flags)
{
    struct sigaction action = {.sa_sigaction = note_and_leave, .sa_flags = SA_SIGINFO | flags};

    sigaction(signo, &action, NULL);
}

/* What the handler of a wild access learns. */
static void access_wildly(const char *what, volatile char *address, bool writes)
{
    push_out();
    if (sigsetjmp(jump, 1) == 0) {
        if (writes)
            *address = 1;
        else
            caught = *address;
        say("not reached", 0, "", 0);
    }
    say(what, seen.si_signo, "", 0);
    say("code", seen.si_code, "", 0);
    say("address", seen.si_addr == address, "", 0);
}

/* Of a file of one page that has become shorter. */
static char *map_truncated(void)
{
    int file = open(".", O_TMPFILE | O_RDWR, 0600);
    char *page = NULL;

    if (file >= 0 && ftruncate(file, PAGE) == 0)
        page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (!page || page == MAP_FAILED || ftruncate(file, 0))
        exit(1);
    close(file);
    return page;
}

static void wild_accesses(enum way way)
{
    char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *truncated = map_truncated();

    if (way != BY_NAME)
        return;
    prepare();
    install(SIGSEGV, 0);
    access_wildly("nowhere", nowhere, false);
    access_wildly("beyond the heap", touched + ((size_t)1 << 42), false);
    access_wildly("beyond the heap, written", touched + ((size_t)1 << 42) + PAGE, true);
    access_wildly("read only", page, true);
    install(SIGBUS, 0);
    access_wildly("behind the end of the file", truncated, false);
    access_wildly("behind the end of the file, written", truncated + 8, true);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    munmap(page, PAGE);
    munmap(truncated, PAGE);
}

static void left_ten_thousand_times(enum way way)
{
    if (way != BY_NAME)
        return;
    prepare();
    install(SIGSEGV, SA_NODEFER);
    for (volatile int i = 0; i < 10000; i++) {
        if (i % 100 == 0)
            push_out();
        if (sigsetjmp(jump, 1) == 0)
            *nowhere = 1;
    }
    say("caught", caught, "", 0);
    signal(SIGSEGV, SIG_DFL);
    chill();
    say("memory", touched[0], "", 0);
}

/* The default actions. */
static void end_by(enum way way)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGSYS, SIGABRT, SIGTERM};
    struct rlimit none = {0, 0};

    if (way != BY_NAME)
        return;
    prepare();
    fflush(stdout);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            setrlimit(RLIMIT_CORE, &none);
            push_out();
            if (touched[0] == 3 && signals[i] == SIGSEGV)
                *nowhere = 1;
            raise(signals[i]);
            _exit(1);
        }
        waitpid(child, &status, 0);
        say("ended by", WIFSIGNALED(status) ? WTERMSIG(status) : -1, "", 0);
    }
}

/* Whether a wild access is caught, left to the default, ignored or blocked, and with a core file or
 * without. */
static void die_wildly(volatile char *address, int how, rlim_t core)
{
    struct rlimit limit = {core, core};
    sigset_t set;

    setrlimit(RLIMIT_CORE, &limit);
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    if (how == 1)
        signal(SIGSEGV, SIG_IGN);
    if (how == 2)
        sigprocmask(SIG_BLOCK, &set, NULL);
    push_out();
    *address = 1;
    _exit(1);
}

static void dies_wildly(enum way way)
{
    char place[] = "uswap-core-XXXXXX";
    char command[64];

    if (way != BY_NAME)
        return;
    prepare();
    if (!mkdtemp(place) || chdir(place))
        exit(1);
    fflush(stdout);
    for (int i = 0; i < 12; i++) {
        volatile char *address = i % 2 ? touched + ((size_t)1 << 42) : nowhere;
        int status = 0;
        pid_t child = fork();
        if (child == 0)
            die_wildly(address, i / 2 % 3, i < 6 ? 0 : RLIM_INFINITY);
        waitpid(child, &status, 0);
        say("ended by", WIFSIGNALED(status) ? WTERMSIG(status) : -1, "", 0);
        say("a core", WIFSIGNALED(status) && WCOREDUMP(status), "", 0);
    }
    snprintf(command, sizeof(command), "cd .. && rm -r %s", place);
    say("cleared", system(command) || chdir(".."), "", 0);
}

static void add_value(int signo, siginfo_t *info, void *context)
{
    summed += info->si_value.sival_int * touched[0];
    caught++;
}

/* Signals that queue, while faults happen: none is lost. */
static void queued(enum way way)
{
    struct sigaction action = {.sa_sigaction = add_value, .sa_flags = SA_SIGINFO};
    sigset_t set, old;

    if (way != BY_NAME)
        return;
    prepare();
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int i = 0; i < 100; i++)
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    push_out();
    sigprocmask(SIG_SETMASK, &old, NULL);
    say("caught", caught, "", 0);
    say("summed", summed, "", 0);
}

static void count(int signo)
{
    caught += touched[0];
}

static void flags(enum way way)
{
    struct sigaction once = {.sa_handler = count, .sa_flags = (int)SA_RESETHAND}, back;

    if (way != BY_NAME)
        return;
    prepare();
    for (int i = 0; i < 3; i++) {
        int signo = (const int[]){SIGUSR1, SIGBUS, SIGSYS}[i];
        sigaction(signo, &once, NULL);
        push_out();
        raise(signo);
        sigaction(signo, NULL, &back);
        say("caught", caught, "", 0);
        say("reset", back.sa_handler == SIG_DFL, "", 0);
        say("signal", signal(signo, count) == SIG_DFL, "", 0);
        sigaction(signo, NULL, &back);
        say("restarts", back.sa_flags & SA_RESTART ? 1 : 0, "", 0);
        say("handler", signal(signo, SIG_DFL) == count, "", 0);
    }
}

/* Our two signals in the sets of the program, which waits for others. */
static void waits(enum way way)
{
    struct signalfd_siginfo info = {0};
    struct timespec none = {0, 0};
    siginfo_t got;
    sigset_t set, old;

    if (way != BY_NAME)
        return;
    prepare();
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, &old);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    raise(SIGUSR1);
    push_out();
    say("sigtimedwait", sigtimedwait(&set, &got, &none), "", 0);
    raise(SIGUSR2);
    push_out();
    say("signalfd", read(fd, &info, sizeof(info)), "", 0);
    say("which", info.ssi_signo, "", 0);
    raise(SIGTERM);
    say("sigwaitinfo", sigwaitinfo(&set, &got), "", 0);
    push_out();
    say("touched", touched[0], "", 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(fd);
}

#define THREADS 8

static void *touch_blocked(void *bytes)
{
    uint64_t all = ~(uint64_t)0;
    long sum = 0;

    by_instruction(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
    for (int i = 0; i < 50; i++) {
        push_out();
        sum += ((volatile char *)bytes)[i * PAGE];
    }
    return (void *)sum;
}

static void all_blocked_in_threads(enum way way)
{
    char *bytes = cold(60 * PAGE);
    pthread_t threads[THREADS];
    long sum = 0;

    if (way != BY_NAME)
        return;
    for (int i = 0; i < 60; i++)
        bytes[i * PAGE] = (char)i;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, touch_blocked, bytes);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    say("sum", sum, "", 0);
}

/* The stack guard: the handler runs on its own stack. */
static void overflow(const volatile char *above, long depth)
{
    volatile char frame[4000];

    frame[0] = above[0];
    if (depth > 0)
        overflow(frame, depth - 1);
    frame[1] = 0;
}

static void *recurse(void *unused)
{
    stack_t stack = {.ss_sp = cold(65536), .ss_size = 65536};

    sigaltstack(&stack, NULL);
    install(SIGSEGV, SA_ONSTACK);
    push_out();
    if (sigsetjmp(jump, 1) == 0)
        overflow(touched, 1 << 20);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    signal(SIGSEGV, SIG_DFL);
    return NULL;
}

static void deep_recursion(enum way way)
{
    pthread_t thread;

    if (way != BY_NAME)
        return;
    prepare();
    pthread_create(&thread, NULL, recurse, NULL);
    pthread_join(thread, NULL);
    say("caught", caught, "", 0);
    say("signal", seen.si_signo, "", 0);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"wild accesses", wild_accesses},
        {"left 10000 times", left_ten_thousand_times},
        {"end by", end_by},
        {"dies wildly", dies_wildly},
        {"queued", queued},
        {"flags", flags},
        {"waits", waits},
        {"all blocked in threads", all_blocked_in_threads},
        {"deep recursion", deep_recursion},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
