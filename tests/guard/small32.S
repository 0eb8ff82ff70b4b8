/* SPDX-License-Identifier: MIT */
/* A 32-bit program, static and without libc: its calls have other numbers than ours. Forks, waits
 * for its child, and prints "unharmed" with writev(). */
        .globl  _start
        .text
_start: mov     $2, %eax                /* fork */
        int     $0x80
        test    %eax, %eax
        jz      end
        js      bad
        mov     %eax, %ebx              /* waitpid */
        mov     $status, %ecx
        xor     %edx, %edx
        mov     $7, %eax
        int     $0x80
        cmpl    $0, status
        jne     bad
        mov     $146, %eax              /* writev */
        mov     $1, %ebx
        mov     $vector, %ecx
        mov     $1, %edx
        int     $0x80
        cmp     $9, %eax
        jne     bad
end:    xor     %ebx, %ebx
        jmp     exit
bad:    mov     $1, %ebx
exit:   mov     $1, %eax
        int     $0x80

        .data
text:   .ascii  "unharmed\n"
vector: .long   text, 9
status: .long   0
        .section .note.GNU-stack, "", @progbits
