/* SPDX-License-Identifier: MIT */
/*
 * System calls that return -errno, touch no libc and leave errno alone: what the fault handler and
 * the swap thread use. The libc functions of the same names are interposed by the preload library.
 */
#ifndef USWAP_BASE_SYS_H
#define USWAP_BASE_SYS_H

#include <stddef.h>
#include <sys/syscall.h>

/* Makes the system call; what the kernel returns. */
typedef long (*sys_enter_fn)(long nr, long a, long b, long c, long d, long e, long f);

/*
 * Through this every call goes. The guard puts a copy of the code into a page from which its filter
 * lets calls pass, for they may have pointers into the window, when our stack is there.
 */
extern sys_enter_fn sys_enter __attribute__((visibility("hidden")));

/* What the kernel reads when it watches the thread's calls for the guard: a call that is not made
 * through sys_enter passes only while this is SYS_ALLOW. */
enum { SYS_ALLOW = 0, SYS_BLOCK = 1 };
extern __thread char sys_selector __attribute__((visibility("hidden")));

#if defined(__x86_64__)
/* From the C calling convention to that of system calls: what comes before the instruction. */
#define SYS_ENTER_MOVES                                                                            \
    "mov %rdi, %rax\n"                                                                             \
    "mov %rsi, %rdi\n"                                                                             \
    "mov %rdx, %rsi\n"                                                                             \
    "mov %rcx, %rdx\n"                                                                             \
    "mov %r8, %r10\n"                                                                              \
    "mov %r9, %r8\n"                                                                               \
    "mov 8(%rsp), %r9\n"
#endif

/* The code that is copied: position-independent, sys_enter_size bytes. */
extern const char sys_enter_code[] __attribute__((visibility("hidden")));
extern const size_t sys_enter_size __attribute__((visibility("hidden")));

static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
    return sys_enter(nr, a, b, c, d, e, f);
}

#define SYS_NARGS_(nr, a, b, c, d, e, f, n, ...) n
#define sys_call_0(nr)                           sys_call6(nr, 0, 0, 0, 0, 0, 0)
#define sys_call_1(nr, a)                        sys_call6(nr, (long)(a), 0, 0, 0, 0, 0)
#define sys_call_2(nr, a, b)                     sys_call6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define sys_call_3(nr, a, b, c)                  sys_call6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sys_call_4(nr, a, b, c, d)               sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define sys_call_5(nr, a, b, c, d, e)                                                              \
    sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define sys_call_6(nr, a, b, c, d, e, f)                                                           \
    sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define SYS_CONCAT_(a, b) a##b
#define SYS_SELECT_(n)    SYS_CONCAT_(sys_call_, n)

/* sys_call(SYS_name, up to six arguments): the result, or -errno. */
#define sys_call(...) SYS_SELECT_(SYS_NARGS_(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0))(__VA_ARGS__)

#endif
