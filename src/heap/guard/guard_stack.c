/* SPDX-License-Identifier: MIT */
/*
 * The table of pinned stacks, by address, without locks: a slot is taken by CAS and its stack
 * pinned by who took it. The stack of a thread is unpinned when the thread is joined, a signal
 * stack when the thread gets another or ends. That of a context, where it must be pinned, stays so,
 * for nobody says when it is done with; a stack that is used again is pinned once.
 */
#include "heap/guard/guard_stack.h"

#include "arena/arena.h"
#include "arena/sigstack.h"
#include "base/msg.h"
#include "heap/guard/guard_real.h"

#include <pthread.h>
#include <stdatomic.h>
#include <ucontext.h>

#define STACKS 4096 /* a power of two */
#define PROBES 64

struct stack {
    _Atomic uintptr_t address; /* 0: free */
    size_t size;
    pthread_t thread; /* 0: not that of a thread */
};
static struct stack stacks[STACKS];

static struct stack *slot_of(uintptr_t address, unsigned probe)
{
    return &stacks[(address / PAGE_SIZE * 0x9e3779b1 + probe) % STACKS];
}

static struct stack *find(uintptr_t address)
{
    for (unsigned probe = 0; probe < PROBES; probe++)
        if (atomic_load(&slot_of(address, probe)->address) == address)
            return slot_of(address, probe);
    return NULL;
}

static struct stack *take(uintptr_t address)
{
    for (unsigned probe = 0; probe < PROBES; probe++) {
        uintptr_t free = 0;
        if (atomic_compare_exchange_strong(&slot_of(address, probe)->address, &free, address))
            return slot_of(address, probe);
    }
    return NULL;
}

static void release(struct stack *stack)
{
    size_t size = stack->size;
    uintptr_t address = atomic_load(&stack->address);

    stack->thread = 0;
    atomic_store(&stack->address, 0);
    arena_unpin((void *)address, size);
}

/* A slot with the stack pinned, or NULL. */
static struct stack *pin(const void *address, size_t size)
{
    struct stack *stack;

    if (arena_pin(address, size))
        return NULL;
    stack = take((uintptr_t)address);
    if (stack)
        stack->size = size;
    else
        arena_unpin(address, size);
    return stack;
}

static void warn(void)
{
    static _Atomic bool said;

    if (!atomic_exchange(&said, true))
        msg_warning("stacks on the heap take too much memory to be kept resident: the program may "
                    "die of SIGSEGV; a larger --ram helps");
}

/* The slot of the stack, pinned; NULL if it cannot be. */
static struct stack *hold(const void *address, size_t size)
{
    struct stack *stack = find((uintptr_t)address);

    if (!stack)
        stack = pin(address, size);
    if (!stack)
        warn();
    return stack;
}

/* ---- Threads ---- */

/* How many slots belong to threads. */
static _Atomic unsigned thread_stacks;

static struct stack *hold_thread_stack(const pthread_attr_t *attributes)
{
    void *address;
    size_t size;

    if (!attributes || pthread_attr_getstack(attributes, &address, &size) || !in_window(address))
        return NULL;
    return hold(address, size);
}

exported int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                            void *(*start)(void *), void *restrict argument)
{
    struct stack *stack = hold_thread_stack(attributes);
    int error = REAL(pthread_create)(thread, attributes, start, argument);

    if (!error && stack && !stack->thread) {
        stack->thread = *thread;
        atomic_fetch_add(&thread_stacks, 1);
    }
    return error;
}

static void release_thread_stack(pthread_t thread)
{
    for (unsigned i = 0; i < STACKS; i++) {
        if (stacks[i].thread != thread)
            continue;
        release(&stacks[i]);
        atomic_fetch_sub(&thread_stacks, 1);
        return;
    }
}

exported int pthread_join(pthread_t thread, void **result)
{
    int error = REAL(pthread_join)(thread, result);

    if (!error && unlikely(atomic_load(&thread_stacks)))
        release_thread_stack(thread);
    return error;
}

/* ---- Signals ---- */

static __thread struct stack *signal_stack;
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void let_go(void *stack)
{
    release(stack);
}

static void make_key(void)
{
    if (pthread_key_create(&at_exit, let_go))
        msg_warning("no key left for signal stacks of threads that end");
}

void guard_stack_signals(const stack_t *stack)
{
    struct stack *before = signal_stack;
    bool is_new = !(stack->ss_flags & SS_DISABLE) && in_window(stack->ss_sp);

    signal_stack = is_new ? hold(stack->ss_sp, stack->ss_size) : NULL;
    if (before && before != signal_stack)
        release(before);
    if (before || signal_stack) {
        pthread_once(&once, make_key);
        pthread_setspecific(at_exit, signal_stack);
    }
}

#define SS_FLAG_BITS (1u << 31) /* SS_AUTODISARM */

stack_t guard_stack_effective(const stack_t *asked)
{
    return ((unsigned)asked->ss_flags & ~SS_FLAG_BITS) == SS_DISABLE ? sigstack_of_thread()
                                                                     : *asked;
}

void guard_stack_hide(stack_t *old)
{
    if (sigstack_is_ours(old))
        *old = (stack_t){.ss_flags = SS_DISABLE};
}

exported int sigaltstack(const stack_t *restrict stack, stack_t *restrict old)
{
    stack_t copy, before;

    if (stack)
        copy = guard_stack_effective(stack);
    if (REAL(sigaltstack)(stack ? &copy : NULL, &before))
        return -1;
    if (stack)
        guard_stack_signals(&copy);
    guard_stack_hide(&before);
    if (old)
        *old = before;
    return 0;
}

/* ---- Processes ---- */

/* Less where the heap begins nearby, or the budget is small. */
#define BELOW_MOST (256 * KIB)

void *guard_stack_hold_below(const void *top)
{
    uintptr_t end = align_up((uintptr_t)top, PAGE_SIZE);
    struct stack *stack = NULL;

    if (!in_window((const char *)top - 1))
        return NULL;
    for (size_t size = BELOW_MOST; !stack && size >= PAGE_SIZE; size /= 2) {
        if (find(end - size))
            return NULL;
        stack = pin((void *)(end - size), size);
    }
    if (!stack)
        warn();
    return stack;
}

void guard_stack_let_go(void *held)
{
    if (held)
        release(held);
}

/* ---- Contexts ---- */

/* Where signals do not arrive on a stack of their own. */
static void hold_context(const ucontext_t *context)
{
    if (!sigstack_flag() && in_window(context->uc_stack.ss_sp))
        (void)hold(context->uc_stack.ss_sp, context->uc_stack.ss_size);
}

exported int setcontext(const ucontext_t *context)
{
    hold_context(context);
    return REAL(setcontext)(context);
}

exported int swapcontext(ucontext_t *restrict old, const ucontext_t *restrict context)
{
    hold_context(context);
    return REAL(swapcontext)(old, context);
}
