/* SPDX-License-Identifier: MIT */
/*
 * Stacks come from blocks that are reserved when they are needed. Nobody says when a thread has
 * ended, least of all after its last handler; so a stack has its owner's thread id, and is free
 * when the kernel knows no such thread in this process. A thread that needs one looks at a few of
 * those that were given out before it takes a new one.
 */
#include "arena/sigstack.h"

#include "arena/window.h"
#include "base/context.h"
#include "base/meta.h"
#include "base/sys.h"

#include <errno.h>
#include <stdatomic.h>

/* Signals that arrive together have their frames there together. Below lies room for a frame of
 * which the handler has run where the kernel may be unable to read it: pages of the window can
 * leave. */
#define STACK_SIZE  (256 * KIB)
#define RETURN_SIZE (16 * KIB)
#define BLOCKS      256
#define IN_BLOCK    16
#define STACKS      (BLOCKS * IN_BLOCK)
/* A frame, and what resolves a fault that is no fault of a coroutine takes no more. */
#define TOUCHED (2 * PAGE_SIZE)
/* How many stacks a thread looks at for one whose owner has ended. */
#define LOOKS 4

static bool started;
static bool stays; /* on signal stacks: others have no room */
static pid_t process;
static char *_Atomic blocks[BLOCKS];
static _Atomic pid_t owners[STACKS];
static _Atomic unsigned used; /* stacks that have or had an owner */
static _Atomic unsigned cursor;

/* Handlers that call us first, and the sa_flags of those that they are to run. */
#define ENTRIES 3
static struct entry {
    frame_handler handler;
    int flags;
} entries[ENTRIES];

static __thread char *mine;
static __thread unsigned mine_index;

int sigstack_flag(void)
{
    return started ? SA_ONSTACK : 0;
}

/* ---- Giving ---- */

static pid_t thread_id(void)
{
    return (pid_t)sys_call(SYS_gettid);
}

static char *block_of(unsigned index)
{
    char *_Atomic *place = &blocks[index / IN_BLOCK];
    char *block = atomic_load(place), *before = NULL;

    if (block)
        return block;
    block = meta_reserve(IN_BLOCK * STACK_SIZE);
    if (!block || atomic_compare_exchange_strong(place, &before, block))
        return block;
    meta_release(block, IN_BLOCK * STACK_SIZE); /* another thread was faster */
    return before;
}

static bool take_over(unsigned index, pid_t thread)
{
    pid_t owner = atomic_load(&owners[index]);

    return (owner == thread || sys_call(SYS_tgkill, process, owner, 0) == -ESRCH) &&
           atomic_compare_exchange_strong(&owners[index], &owner, thread);
}

/* STACKS if there is none. */
static unsigned take(pid_t thread)
{
    unsigned known = atomic_load(&used);

    for (unsigned i = 0; i < LOOKS && i < known; i++) {
        unsigned index = atomic_fetch_add(&cursor, 1) % known;
        if (take_over(index, thread))
            return index;
    }
    while (known < STACKS && !atomic_compare_exchange_weak(&used, &known, known + 1))
        ;
    if (known == STACKS)
        return STACKS;
    atomic_store(&owners[known], thread);
    meta_charge(TOUCHED);
    return known;
}

/* Not for a process that shares our memory: nobody here can tell when it ends. */
static void take_mine(void)
{
    bool is_guest = sys_call(SYS_getpid) != process;
    unsigned index = is_guest ? STACKS : take(thread_id());
    char *block = index < STACKS ? block_of(index) : NULL;

    if (!block)
        return;
    mine_index = index;
    mine = block + index % IN_BLOCK * STACK_SIZE;
}

/* A process that clone() made to share all memory has the variables of the thread that made it. */
static bool is_mine(void)
{
    return mine && atomic_load(&owners[mine_index]) == thread_id();
}

stack_t sigstack_of_thread(void)
{
    stack_t stack = {.ss_flags = SS_DISABLE};

    if (started && !mine)
        take_mine();
    if (started && is_mine())
        stack = (stack_t){.ss_sp = mine + RETURN_SIZE, .ss_size = STACK_SIZE - RETURN_SIZE};
    return stack;
}

#if FRAME_MOVES
static uintptr_t place_to_return(uintptr_t frame)
{
    return mine && window_contains((void *)frame) ? (uintptr_t)mine + RETURN_SIZE : 0;
}
#endif

void sigstack_start(void)
{
    stack_t stack, before;

    if (!FRAME_MOVES || sys_call(SYS_sigaltstack, NULL, &before) || !(before.ss_flags & SS_DISABLE))
        return;
    started = true;
#if FRAME_MOVES
    frame_set_place(place_to_return);
#endif
    process = (pid_t)sys_call(SYS_getpid);
    stack = sigstack_of_thread();
    started = sys_call(SYS_sigaltstack, &stack, NULL) == 0;
}

void sigstack_enter(frame_handler handler, int flags)
{
    unsigned i = 0;

    while (entries[i].handler)
        i++;
    entries[i] = (struct entry){handler, flags};
}

void sigstack_stay(void)
{
    stays = true;
}

void sigstack_give(ucontext_t *context)
{
    if (started && unlikely(context->uc_stack.ss_flags & SS_DISABLE))
        context->uc_stack = sigstack_of_thread();
}

bool sigstack_is_ours(const stack_t *stack)
{
    return mine && stack->ss_sp == mine + RETURN_SIZE;
}

void sigstack_fork_child(void)
{
    process = (pid_t)sys_call(SYS_getpid);
    if (mine)
        atomic_store(&owners[mine_index], thread_id());
}

/* ---- Standing ---- */

static bool lies_in(uintptr_t address, const stack_t *stack)
{
    return !(stack->ss_flags & SS_DISABLE) && address - (uintptr_t)stack->ss_sp < stack->ss_size;
}

/* Whether this handler arrived on a signal stack, and the program runs on another. */
static bool is_apart(const ucontext_t *context)
{
    return lies_in((uintptr_t)context, &context->uc_stack) &&
           !lies_in(context_stack_pointer(context), &context->uc_stack);
}

bool sigstack_is_interrupted(const ucontext_t *context)
{
    return !stays && mine && context_stack_pointer(context) - (uintptr_t)mine < STACK_SIZE;
}

#if FRAME_MOVES
void sigstack_call(const ucontext_t *context, void (*body)(void *), void *argument)
{
    uintptr_t interrupted = context_stack_pointer(context);

    if (!started || sigstack_is_ours(&context->uc_stack))
        body(argument);
    else if (is_mine())
        frame_call_on((uintptr_t)mine + STACK_SIZE, body, argument);
    else if (!stays && is_apart(context) && !window_contains((void *)(interrupted - 1)))
        frame_call_on(interrupted - FRAME_RED_ZONE, body, argument);
    else
        body(argument);
}

static bool leaves(int flags, const ucontext_t *context)
{
    return (!(flags & SA_ONSTACK) || sigstack_is_ours(&context->uc_stack)) && is_apart(context);
}

/* As many deep as signals arrived together. */
static void settle(ucontext_t *context)
{
    for (unsigned i = 0; i < ENTRIES && entries[i].handler; i++) {
        ucontext_t *first = frame_before(context, entries[i].handler);
        if (!first)
            continue;
        settle(first);
        if (leaves(entries[i].flags, first))
            frame_move_before(context);
        return;
    }
}

void sigstack_settle(ucontext_t *context)
{
    if (started && !stays)
        settle(context);
}

void sigstack_leave(int signo, siginfo_t *info, ucontext_t *context, frame_handler handler)
{
    if (started && is_apart(context))
        frame_move(signo, info, context, handler);
    handler(signo, info, context);
}
#else
void sigstack_settle(ucontext_t *context)
{
}

void sigstack_call(const ucontext_t *context, void (*body)(void *), void *argument)
{
    (void)context;
    body(argument);
}

void sigstack_leave(int signo, siginfo_t *info, ucontext_t *context, frame_handler handler)
{
    handler(signo, info, context);
}
#endif

void sigstack_run(int flags, int signo, siginfo_t *info, ucontext_t *context, frame_handler handler)
{
    bool belongs = flags & SA_ONSTACK && !sigstack_is_ours(&context->uc_stack);

    if (stays || belongs)
        handler(signo, info, context);
    else
        sigstack_leave(signo, info, context, handler);
}
