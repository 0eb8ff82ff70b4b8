/* SPDX-License-Identifier: MIT */
/*
 * A thread made by clone() alone, or a process that shares all with this one, in one block of
 * memory:
 *
 *     | guard page | stack | thread-local storage | TCB page | room above |
 *                                                 ^ thread pointer
 *
 * On x86-64 the thread-local variables of all loaded libraries lie below the thread pointer, on
 * aarch64 above it; both sides are large enough for those of this library, wherever the loader
 * placed them. All of the block is zero, but for the few words of libc's TCB that compiled code
 * itself reads. libc's own idea of "this thread" is a zeroed struct: nothing that uses it may be
 * called.
 *
 * A thread's block is never given back: the thread lives as long as the process. In the child of a
 * fork the thread is gone, and its block stays behind, mostly untouched address space.
 */
#include "base/thread.h"

#include "base/meta.h"
#include "base/sys.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK_SIZE (256 * KIB)

/* Thread-local storage beyond where this file's own variable lies: the rest of the library's. */
#define TLS_MARGIN (64 * KIB)

/* Pages that a thread touches: two of the stack, thread-local variables, TCB. */
#define TOUCHED (4 * PAGE_SIZE)

#define SHARED_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SETTLS)
#define THREAD_FLAGS (SHARED_FLAGS | CLONE_THREAD | CLONE_SYSVSEM)
/* No signal at its end: the program would see that a child that it did not make has ended. */
#define APART_FLAGS (SHARED_FLAGS | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* What the new thread finds on its stack. */
struct start {
    void (*run)(void *);
    void *argument;
};

_Static_assert(sizeof(struct start) == 16,
               "the stack stays aligned, and clone_thread() pops two words");

/* Where the library's thread-local storage lies, seen from the thread pointer. */
static __thread char marker;

#if defined(__x86_64__)

static uintptr_t thread_pointer(void)
{
    uintptr_t pointer;

    __asm__("mov %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

/* The words of the TCB that the psABI and the compiler use: the two pointers to itself, the stack
 * protector's canary and the pointer guard, which belong to the process and not to a thread. */
static void fill_tcb(uintptr_t pointer)
{
    uintptr_t *tcb = (uintptr_t *)pointer;
    const uintptr_t *mine = (const uintptr_t *)thread_pointer();

    tcb[0] = pointer;
    tcb[2] = pointer;
    tcb[5] = mine[5];
    tcb[6] = mine[6];
}

/* clone(), after which the new thread calls what start, the top of its stack, says. word: see
 * CLONE_CHILD_CLEARTID. */
static long clone_thread(long flags, struct start *start, void *word, uintptr_t tls)
{
    register void *r10 __asm__("r10") = word;
    register uintptr_t r8 __asm__("r8") = tls;
    long ret;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "pop %%rax\n\t"
                     "pop %%rdi\n\t"
                     "call *%%rax\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(ret)
                     : "a"(SYS_clone), "D"(flags), "S"(start), "d"(word), "r"(r10), "r"(r8)
                     : "rcx", "r11", "cc", "memory");
    return ret;
}

#elif defined(__aarch64__)

static uintptr_t thread_pointer(void)
{
    uintptr_t pointer;

    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
}

/* Compiled code reads nothing of the TCB here: the canary is a global variable. */
static void fill_tcb(uintptr_t pointer)
{
    (void)pointer;
}

static long clone_thread(long flags, struct start *start, void *word, uintptr_t tls)
{
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = flags;
    register struct start *x1 __asm__("x1") = start;
    register void *x2 __asm__("x2") = word;
    register uintptr_t x3 __asm__("x3") = tls;
    register void *x4 __asm__("x4") = word;

    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x30, xzr\n\t"
                     "ldp x1, x0, [sp], #16\n\t"
                     "blr x1\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "cc", "memory");
    return x0;
}

#endif

/* Bytes of thread-local storage on either side of the thread pointer: the program's own variables
 * lie nearest to it and may be many. */
static size_t tls_side(void)
{
    intptr_t distance = (intptr_t)((uintptr_t)&marker - thread_pointer());

    return align_up((uint64_t)labs(distance) + TLS_MARGIN, PAGE_SIZE);
}

/* clone() with every signal blocked: the new thread inherits that. */
static long clone_blocked(long flags, struct start *start, void *word, uintptr_t tls)
{
    uint64_t all = UINT64_MAX;
    uint64_t old = 0;
    long result;

    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(old));
    sys_selector = SYS_ALLOW;
    result = clone_thread(flags, start, word, tls);
    sys_selector = SYS_BLOCK;
    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &old, 0, sizeof(old));
    return result;
}

static size_t block_size(void)
{
    return PAGE_SIZE + STACK_SIZE + 2 * tls_side();
}

/* NULL: no memory. */
static char *make_block(void)
{
    char *block = meta_reserve(block_size());

    if (block && sys_call(SYS_mprotect, block, PAGE_SIZE, PROT_NONE)) {
        meta_release(block, block_size());
        block = NULL;
    }
    return block;
}

static long start_in(char *block, long flags, void *word, void (*run)(void *), void *argument)
{
    char *stack_top = block + PAGE_SIZE + STACK_SIZE;
    struct start *start = (void *)(stack_top - sizeof(*start));
    uintptr_t tls = (uintptr_t)stack_top + tls_side();

    *start = (struct start){run, argument};
    fill_tcb(tls);
    return clone_blocked(flags, start, word, tls);
}

int thread_start(void (*run)(void *), void *argument)
{
    char *block = make_block();
    long result;

    if (!block)
        return -ENOMEM;
    result = start_in(block, THREAD_FLAGS, NULL, run, argument);
    if (result < 0) {
        meta_release(block, block_size());
        return (int)result;
    }
    meta_charge(TOUCHED);
    return 0;
}

/* ---- Apart ---- */

#define BLOCKS 16

/*
 * user: 0            the block is free
 *       STARTS | id  this process is about to start another one in it
 *       id           that one runs in it
 *
 * The kernel writes the id before that process runs, and 0 when it has ended, whether or not the
 * one that started it is still there. Who is killed when it was about to start one leaves its mark
 * behind, which says so.
 */
#define STARTS (UINT32_C(1) << 31)

static struct {
    char *block;
    _Atomic uint32_t user;
} blocks[BLOCKS];

static bool is_left(uint32_t user)
{
    return user & STARTS && sys_call(SYS_kill, user & ~STARTS, 0) == -ESRCH;
}

/* -1: none is free. */
static int take_block(void)
{
    uint32_t mine = STARTS | (uint32_t)sys_call(SYS_getpid);

    for (int i = 0; i < BLOCKS; i++) {
        uint32_t user = atomic_load(&blocks[i].user);
        if ((user && !is_left(user)) ||
            !atomic_compare_exchange_strong(&blocks[i].user, &user, mine))
            continue;
        if (!blocks[i].block && (blocks[i].block = make_block()))
            meta_charge(TOUCHED);
        if (blocks[i].block)
            return i;
        atomic_store(&blocks[i].user, 0);
        break;
    }
    return -1;
}

int thread_run_apart(void (*run)(void *), void *argument)
{
    int taken = take_block(), status = 0;
    long result;

    if (taken < 0)
        return -EAGAIN;
    result = start_in(blocks[taken].block, APART_FLAGS, &blocks[taken].user, run, argument);
    if (result < 0)
        atomic_store(&blocks[taken].user, 0);
    else
        result = sys_call(SYS_wait4, result, &status, __WALL, NULL);
    if (result < 0)
        return (int)result;
    return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EFAULT;
}

unsigned thread_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
}
