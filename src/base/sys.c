/* SPDX-License-Identifier: MIT */
#include "base/sys.h"

#include <stdint.h>

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
        ".balign 16\n"
        ".globl sys_enter_code\n"
        ".hidden sys_enter_code\n"
        ".type sys_enter_code, @function\n"
        "sys_enter_code:\n" SYS_ENTER_MOVES "syscall\n"
        "ret\n"
        "sys_enter_end:\n"
        ".size sys_enter_code, . - sys_enter_code\n"
        ".popsection\n");
#elif defined(__aarch64__)
__asm__(".pushsection .text\n"
        ".balign 16\n"
        ".globl sys_enter_code\n"
        ".hidden sys_enter_code\n"
        ".type sys_enter_code, @function\n"
        "sys_enter_code:\n"
        "mov x8, x0\n"
        "mov x0, x1\n"
        "mov x1, x2\n"
        "mov x2, x3\n"
        "mov x3, x4\n"
        "mov x4, x5\n"
        "mov x5, x6\n"
        "svc 0\n"
        "ret\n"
        "sys_enter_end:\n"
        ".size sys_enter_code, . - sys_enter_code\n"
        ".popsection\n");
#else
#error "uswap knows the system call convention of x86-64 and aarch64 only"
#endif

/* The size, computed by the assembler: no relocation is needed before the first call. */
__asm__(".pushsection .rodata\n"
        ".balign 8\n"
        ".globl sys_enter_size\n"
        ".hidden sys_enter_size\n"
        "sys_enter_size: .quad sys_enter_end - sys_enter_code\n"
        ".popsection\n");

__thread char sys_selector = SYS_BLOCK;

sys_enter_fn sys_enter = (sys_enter_fn)(uintptr_t)sys_enter_code;
