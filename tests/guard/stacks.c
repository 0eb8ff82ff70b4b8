/* SPDX-License-Identifier: MIT */
/* Stacks from the heap: of signals, threads, contexts and of a program that switches them by its
 * own code, with everything else swapped out around them. */
#include "cold.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
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

#if defined(__x86_64__)
/* As coroutine libraries do it: what a function must preserve goes to the stack, and the stack
 * pointer to *from. */
void switch_stack(void **from, void *to);
__asm__(".pushsection .text\n"
        "switch_stack:\n"
        "push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov %rsi, %rsp\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
        "ret\n"
        ".popsection\n");

/* One thread of control, on a stack that nobody was told of. */
struct own {
    void *here, *there;
    enum way way;
    long result;
    char *stack;
};
static __thread struct own *running;

/* From the far end of the stack. */
static long read_name(const struct own *own)
{
    enum way way = own->way;

    return CALL_AS_IT_IS(readlink("/proc/self/root", own->stack, 100), SYS_readlink,
                         "/proc/self/root", own->stack, 100);
}

/* The child goes on on this stack, all of which was just pushed out. */
static long fork_here(int how)
{
    int status = 0;

    fflush(stdout);
    push_out();
    pid_t child = how == 0 ? fork() : how == 1 ? (pid_t)syscall(SYS_fork) : _Fork();
    if (child == 0) {
        dive(7);
        _exit(sum != 0 ? 3 : 4);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1000;
    return WEXITSTATUS(status);
}

static void own_body(void)
{
    struct own *own = running;

    for (int i = 0;; i++) {
        char text[100];

        own->result += read_name(own);
        dive(i % 10);
        push_out(); /* the ground under our feet */
        own->result += read_name(own);
        /* stdio allocates and calls the kernel by itself. */
        FILE *file = fopen("/proc/self/comm", "r");
        own->result += file && fgets(text, sizeof(text), file);
        if (file)
            fclose(file);
        raise(SIGUSR2);
        own->result += i < 3 ? fork_here(i) : 0;
        dive(i % 20);
        switch_stack(&own->there, own->here);
    }
}

static void begin(struct own *own, enum way way, char *stack, size_t size)
{
    void **top;

    *own = (struct own){.way = way, .stack = stack};
    top = (void **)(((uintptr_t)own->stack + size) & ~15ul) - 8;
    top[6] = (void *)(uintptr_t)own_body;
    own->there = top;
}

static void resume(struct own *own)
{
    running = own;
    switch_stack(&own->here, own->there);
}

/* Also one with a signal stack of the least size that programs give. */
static void own_stacks(enum way way)
{
    static char small[8192];
    stack_t stack = {.ss_sp = small, .ss_size = sizeof(small)}, before;
    struct own own[3];

    prepare();
    signal(SIGUSR2, handler);
    for (int i = 0; i < 3; i++)
        begin(&own[i], way, cold(STACK), STACK);
    for (int round = 0; round < 30; round++) {
        resume(&own[round % 3]);
        push_out();
        if (round == 15)
            say("signal stack", sigaltstack(&stack, &before), "", 0);
    }
    say("there was none", before.ss_flags == SS_DISABLE, "", 0);
    stack.ss_flags = SS_DISABLE;
    say("signal stack ends", sigaltstack(&stack, &before), "", 0);
    say("it was ours", before.ss_sp == small, "", 0);
    say("results", own[0].result + own[1].result + own[2].result, "", 0);
    say("dived", sum, "", 0);
}

#define SMALL (100 << 10)

static void *own_thread(void *way)
{
    struct own own;
    char *stack = malloc(SMALL);

    begin(&own, *(enum way *)way, stack, SMALL);
    for (int round = 0; round < 5; round++)
        resume(&own);
    free(stack);
    return (void *)own.result;
}

/* Threads that have touched nothing before, many after each other. */
static void own_threads(enum way way)
{
    long results = 0;

    prepare();
    signal(SIGUSR2, handler);
    for (int i = 0; i < 30; i++) {
        pthread_t threads[2];
        void *result;

        for (int t = 0; t < 2; t++)
            if (pthread_create(&threads[t], NULL, own_thread, &way))
                exit(1);
        for (int t = 0; t < 2; t++) {
            pthread_join(threads[t], &result);
            results += (long)result;
        }
    }
    say("results", results, "", 0);
}

static void own_asks(enum way way)
{
    stack_t before = {.ss_sp = &before};
    long result = way == BY_NAME      ? sigaltstack(NULL, &before)
                  : way == BY_SYSCALL ? syscall(SYS_sigaltstack, NULL, &before)
                                      : by_instruction(SYS_sigaltstack, NULL, &before);

    say("asked", result, "", 0);
    say("flags", before.ss_flags, "", 0);
    say("size", (long)before.ss_size, "", 0);
}
#endif

int main(void)
{
    static const struct cold_case cases[] = {
        {"signal stack", signal_stack},
        {"thread stack", thread_stack},
        {"contexts", contexts},
#if defined(__x86_64__)
        {"own stacks", own_stacks},
        {"own stacks of threads", own_threads},
        {"no signal stack", own_asks},
#endif
    };

    return cold_main(cases, sizeof(cases) / sizeof(cases[0]));
}
