/* SPDX-License-Identifier: MIT */
/*
 * System calls that return -errno, touch no libc and leave errno alone: what the fault handler and
 * the swap thread use. The libc functions of the same names are interposed by the preload library.
 */
#ifndef USWAP_BASE_SYS_H
#define USWAP_BASE_SYS_H

#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
#elif defined(__aarch64__)
static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#error "uswap knows the system call convention of x86-64 and aarch64 only"
#endif

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
