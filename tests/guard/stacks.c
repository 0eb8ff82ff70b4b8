/* SPDX-License-Identifier: MIT */
/* Stacks from the heap: of signals, threads and contexts, with everything else swapped out around
 * them. */
#include "cold.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK (256 << 10)

static char *touched;
static volatile long sum;

static void dive(int depth)
{
    volatile char frame[3000];

    frame[0] = touched[0];
    sum += frame[0];
    if (depth > 0)
        dive(depth - 1);
    frame[1] = 0;
}

static void handler(int signo)
{
    dive(10);
}

static void prepare(void)
{
    touched = cold(100);
    touched[0] = 3;
    sum = 0;
}

static void signal_stack(enum way way)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    stack_t stack = {.ss_sp = cold(STACK), .ss_size = STACK}, none = {.ss_flags = SS_DISABLE};

    prepare();
    say("set",
        way == BY_SYSCALL ? syscall(SYS_sigaltstack, &stack, NULL) : sigaltstack(&stack, NULL), "",
        0);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 10; i++) {
        push_out();
        raise(SIGUSR1);
    }
    say("handled", sum, "", 0);
    say("no more", sigaltstack(&none, NULL), "", 0);
}

static void *run(void *unused)
{
    for (int i = 0; i < 10; i++) {
        push_out();
        dive(20);
        raise(SIGUSR2);
    }
    return NULL;
}

static void thread_stack(enum way way)
{
    char *stack = cold(STACK);
    pthread_attr_t attributes;
    pthread_t thread;

    if (way != BY_NAME)
        return;
    prepare();
    signal(SIGUSR2, handler);
    pthread_attr_init(&attributes);
    say("attribute", pthread_attr_setstack(&attributes, stack + PAGE, STACK - PAGE), "", 0);
    for (int i = 0; i < 3; i++) {
        push_out();
        say("create", pthread_create(&thread, &attributes, run, NULL), "", 0);
        say("join", pthread_join(thread, NULL), "", 0);
    }
    say("dived", sum, "", 0);
}

static ucontext_t *outside, *inside;

static void coroutine(void)
{
    for (int i = 0;; i++) {
        dive(i);
        raise(SIGUSR2);
        swapcontext(inside, outside);
    }
}

static void contexts(enum way way)
{
    if (way != BY_NAME)
        return;
    prepare();
    outside = cold(sizeof(*outside));
    inside = cold(sizeof(*inside));
    getcontext(inside);
    inside->uc_stack.ss_sp = cold(STACK);
    inside->uc_stack.ss_size = STACK;
    makecontext(inside, coroutine, 0);
    for (int i = 0; i < 20; i++) {
        push_out();
        swapcontext(outside, inside);
    }
    say("dived", sum, "", 0);
}

int main(void)
{
    static const struct cold_case cases[] = {
        {"signal stack", signal_stack},
        {"thread stack", thread_stack},
        {"contexts", contexts},
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
