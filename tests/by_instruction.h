/* SPDX-License-Identifier: MIT */
/* A system call without libc, as programs make it by inline assembly. */
#ifndef USWAP_TESTS_BY_INSTRUCTION_H
#define USWAP_TESTS_BY_INSTRUCTION_H

#include <errno.h>

/* As syscall(2). */
static inline long call_by_instruction(long number, const long a[6])
{
    long result;
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (result >= 0 || result < -4095)
        return result;
    errno = (int)-result;
    return -1;
}

#endif
