/* SPDX-License-Identifier: MIT */
/* Where the program's handlers run, and what it is told of its actions and signal stacks, while
 * signals arrive elsewhere. */
#include "cold.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NEAR (1 << 20)

static char *touched;
static uintptr_t stack_of_main;
static volatile sig_atomic_t caught;

static void prepare(void)
{
    touched = cold(100);
    touched[0] = 3;
    caught = 0;
}

static void count(int signo)
{
    caught += touched[0];
}

static const char *name_of(void (*handler)(int))
{
    return handler == count     ? "count"
           : handler == SIG_DFL ? "default"
           : handler == SIG_IGN ? "ignored"
           : handler == SIG_ERR ? "error"
                                : "another";
}

static void say_action(const char *what, int signo)
{
    struct sigaction action;

    say(what, sigaction(signo, NULL, &action), "", 0);
    say(name_of(action.sa_handler), (long)((unsigned)action.sa_flags & ~0x04000000u), "", 0);
}

/* ---- Old functions ---- */

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void old_functions(enum way way)
{
    static const int signals[] = {SIGUSR1, SIGBUS, SIGSYS};

    if (way != BY_NAME)
        return;
    prepare();
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        int signo = signals[i];
        say(name_of(sigset(signo, count)), 0, "", 0);
        say_action("set", signo);
        chill();
        raise(signo);
        say("held", sighold(signo), "", 0);
        chill();
        say("touched", touched[0], "", 0);
        say("was held", sigset(signo, count) == SIG_HOLD, "", 0);
        say(name_of(sigset(signo, count)), 0, "", 0);
        say("hold", sigset(signo, SIG_HOLD) == count, "", 0);
        say("hold again", sigset(signo, SIG_HOLD) == SIG_HOLD, "", 0);
        say("released", sigrelse(signo), "", 0);
        say("blocked before", sigsetmask(~0) & 1 << (signo - 1), "", 0);
        chill();
        say("touched", touched[0], "", 0);
        say("all", sigblock(0), "", 0);
        sigsetmask(0);
        say("ignored", sigignore(signo), "", 0);
        chill();
        say(name_of(signal(signo, SIG_DFL)), touched[0], "", 0);
    }
    say("wrong signal", sigset(0, count) == SIG_ERR, "", 0);
    say("wrong signal", sighold(1000), "", 0);
    say("caught", caught, "", 0);
}

/* ---- Stacks ---- */

static stack_t own; /* the program's signal stack */

/* More than our stacks have. */
static __attribute__((noinline)) void take_room(void)
{
    volatile char room[200000];

    for (size_t i = 0; i < sizeof(room); i += PAGE)
        room[i] = 1;
}

static void note_place(int signo)
{
    uintptr_t here = (uintptr_t)&signo;
    stack_t stack, none = {.ss_flags = SS_DISABLE};

    caught += touched[0];
    say("on the signal stack", own.ss_size && here - (uintptr_t)own.ss_sp < own.ss_size, "", 0);
    say("on the main stack", here - (stack_of_main - NEAR) < 2 * NEAR, "", 0);
    sigaltstack(NULL, &stack);
    say("flags", stack.ss_flags, "", 0);
    say("size", (long)stack.ss_size, "", 0);
    say("may be ended here", sigaltstack(&none, NULL), "", 0);
    if (stack.ss_flags != SS_ONSTACK)
        take_room();
}

static void place(int flags)
{
    static const int signals[] = {SIGUSR1, SIGBUS, SIGSYS, SIGSEGV};
    struct sigaction action = {.sa_handler = note_place, .sa_flags = flags};
    stack_t stack;

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &action, NULL);
        say_action("installed", signals[i]);
        push_out();
        raise(signals[i]);
        sigaltstack(NULL, &stack);
        say("flags afterwards", stack.ss_flags, "", 0);
        signal(signals[i], SIG_DFL);
    }
}

static void *places(void *unused)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    stack_of_main = (uintptr_t)&none;
    for (size_t size = 0; size <= 64 << 10; size += 32 << 10) {
        own = (stack_t){.ss_flags = SS_DISABLE};
        if (size)
            own = (stack_t){.ss_sp = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                            .ss_size = size};
        say("set", sigaltstack(&own, NULL), "", 0);
        place(0);
        place(SA_ONSTACK);
        place((int)(SA_ONSTACK | SA_RESETHAND | SA_NODEFER));
        say("ended", sigaltstack(&none, NULL), "", 0);
        if (size)
            munmap(own.ss_sp, size);
    }
    return NULL;
}

static void where_handlers_run(enum way way)
{
    stack_t wrong = {.ss_flags = SS_DISABLE | 4};
    pthread_t thread;

    if (way != BY_NAME)
        return;
    prepare();
    places(NULL);
    if (pthread_create(&thread, NULL, places, NULL))
        exit(1);
    say("ended", pthread_join(thread, NULL), "", 0);
    say("wrong flags", sigaltstack(&wrong, NULL), "", 0);
    say("caught", caught, "", 0);
}

/* The kernel writes the frames of all of them before the first handler runs. */
static void send_together(int flags)
{
    static const int signals[] = {SIGHUP, SIGBUS, SIGUSR1, SIGSEGV, SIGUSR2, SIGALRM, SIGSYS};
    struct sigaction action = {.sa_handler = note_place, .sa_flags = flags};
    sigset_t set, before;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &action, NULL);
        sigaddset(&set, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &set, &before);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        raise(signals[i]);
    push_out();
    sigprocmask(SIG_SETMASK, &before, NULL);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_DFL);
}

static void many_together(void)
{
    struct sigaction action = {.sa_handler = count, .sa_flags = SA_NODEFER};
    sigset_t set, before;

    sigaction(SIGRTMIN, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, &before);
    for (int i = 0; i < 50; i++)
        raise(SIGRTMIN);
    push_out();
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGRTMIN, SIG_DFL);
}

static void together(enum way way)
{
    static char place[64 << 10];
    stack_t none = {.ss_flags = SS_DISABLE};

    prepare();
    stack_of_main = (uintptr_t)&none;
    own = none;
    send_together(0);
    send_together(SA_ONSTACK);
    own = (stack_t){.ss_sp = place, .ss_size = sizeof(place)};
    sigaltstack(&own, NULL);
    send_together(0);
    send_together(SA_ONSTACK);
    sigaltstack(&none, NULL);
    many_together();
    say("caught", caught, "", 0);
}

static void reset_when_it_comes(enum way way)
{
    struct sigaction action = {.sa_handler = count, .sa_flags = (int)SA_RESETHAND};

    prepare();
    sigaction(SIGUSR2, &action, NULL);
    say_action("before", SIGUSR2);
    raise(SIGUSR2);
    say_action("after", SIGUSR2);
    say("caught", caught, "", 0);
}

/* The actions of a child that shares our memory are its own. */
static void child_of_vfork(enum way way)
{
    struct sigaction action = {.sa_handler = note_place};
    int status = 0;

    prepare();
    signal(SIGUSR1, count);
    pid_t child = vfork();
    if (child == 0) {
        sigaction(SIGUSR1, &action, NULL);
        _exit(0);
    }
    waitpid(child, &status, 0);
    say_action("action", SIGUSR1);
    raise(SIGUSR1);
    say("caught", caught, "", 0);
    signal(SIGUSR1, SIG_DFL);
}

/* ---- Stacks that end ---- */

static sigjmp_buf jump;

static void leave(int signo)
{
    siglongjmp(jump, 1);
}

static void stay(int signo)
{
}

static char *wide;
#define WIDE ((size_t)24 << 20)

/* Each frame misses a page of memory: the last ones with no room for what brings it in. */
static int fall(unsigned depth)
{
    volatile char frame[500];

    frame[0] = wide[(size_t)depth * 7 * PAGE % WIDE]++;
    return depth == UINT32_MAX ? 0 : fall(depth + 1) + frame[0];
}

static void *fall_again(void *unused)
{
    static char place[64 << 10];
    stack_t stack = {.ss_sp = place, .ss_size = sizeof(place)}, none = {.ss_flags = SS_DISABLE};
    struct sigaction action = {.sa_handler = leave, .sa_flags = SA_ONSTACK};

    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    for (volatile int i = 0; i < 20; i++) {
        if (sigsetjmp(jump, 1) == 0)
            fall((unsigned)i * 1000);
        caught++;
    }
    sigaltstack(&none, NULL);
    signal(SIGSEGV, SIG_DFL);
    return NULL;
}

static void overflow_is_caught(enum way way)
{
    pthread_attr_t attributes;
    pthread_t thread;

    if (way != BY_NAME)
        return;
    prepare();
    wide = malloc(WIDE);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    if (pthread_create(&thread, &attributes, fall_again, NULL))
        exit(1);
    say("ended", pthread_join(thread, NULL), "", 0);
    say("caught", caught, "", 0);
    free(wide);
}

/* The frame of SIGSEGV has no place: whatever the handler does, it is not called. */
static void overflow_ends(enum way way)
{
    static const int flags[] = {0, SA_ONSTACK, SA_NODEFER, SA_NODEFER | SA_ONSTACK};
    struct rlimit none = {0, 0};

    if (way != BY_NAME)
        return;
    prepare();
    wide = malloc(WIDE);
    fflush(stdout);
    for (size_t i = 0; i < 8; i++) {
        struct sigaction action = {.sa_handler = i < 4 ? leave : stay, .sa_flags = flags[i % 4]};
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            setrlimit(RLIMIT_CORE, &none);
            setrlimit(RLIMIT_STACK, &(struct rlimit){1 << 20, 1 << 20});
            sigaction(SIGSEGV, &action, NULL);
            alarm(20);
            if (sigsetjmp(jump, 1) == 0)
                fall(0);
            _exit(1);
        }
        waitpid(child, &status, 0);
        say("ended by", WIFSIGNALED(status) ? WTERMSIG(status) : -1, "", 0);
    }
    free(wide);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"old functions", old_functions},
        {"where handlers run", where_handlers_run},
        {"together", together},
        {"reset when it comes", reset_when_it_comes},
        {"child of vfork", child_of_vfork},
        {"overflow is caught", overflow_is_caught},
        {"overflow ends the program", overflow_ends},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
