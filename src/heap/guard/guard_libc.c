/* SPDX-License-Identifier: MIT */
/*
 * The places look like this, in glibc from 2.32 on:
 *
 *     mov $SYS_rt_sigprocmask, %eax
 *     lea all_signals(%rip), %rsi
 *     syscall
 *
 * with an instruction or two in between, in any order before the syscall. all_signals is a constant
 * of eight bytes, all ones, which other code may use too; so the lea is pointed at a set of ours,
 * which lies in the unused end of the last page of libc's text. No instruction changes its length
 * or its place.
 */
#include "heap/guard/guard_libc.h"

#if defined(__x86_64__)
#include "base/sys.h"
#include "heap/guard/guard_signal.h"
#include "heap/libc.h"

#include <fcntl.h>
#include <string.h>

/* lea disp(%rip), %rsi */
static const uint8_t lea[] = {0x48, 0x8d, 0x35};
#define LEA_SIZE (sizeof(lea) + sizeof(int32_t))

static const uint8_t move_number[] = {0xb8, SYS_rt_sigprocmask, 0, 0, 0};
static const uint8_t enter_kernel[] = {0x0f, 0x05};

/* How far the instructions of one place lie apart. */
#define NEAR 48

/* Where our set goes; NULL: there is no room. */
static sigblock_mask *find_room(void)
{
    static const sigblock_mask unused;
    uintptr_t end = align_up(libc_text + libc_text_size, sizeof(sigblock_mask));

    if (end % PAGE_SIZE == 0 || memcmp((void *)end, &unused, sizeof(unused)) != 0)
        return NULL;
    return (sigblock_mask *)end;
}

/* Through the file, code is written as a debugger does it: never writable in the address space, and
 * where a system forbids this nothing has changed. */
static bool overwrite(int memory, const uint8_t *at, const void *bytes, size_t size)
{
    return sys_call(SYS_pwrite64, memory, bytes, size, at) == (long)size;
}

static bool loads_all_signals(const uint8_t *at)
{
    sigblock_mask set;
    int32_t distance;

    memcpy(&distance, at + sizeof(lea), sizeof(distance));
    uintptr_t target = (uintptr_t)at + LEA_SIZE + (uintptr_t)(intptr_t)distance;
    /* Constants lie behind the text, not far. */
    if (target < libc_text || target - libc_text > 2 * libc_text_size)
        return false;
    memcpy(&set, (const void *)target, sizeof(set));
    return set == ~(sigblock_mask)0;
}

static bool is_followed_by_call(const uint8_t *at)
{
    return memmem(at + LEA_SIZE, NEAR, enter_kernel, sizeof(enter_kernel)) &&
           memmem(at - NEAR, 2 * NEAR, move_number, sizeof(move_number));
}

static bool redirect(int memory, const uint8_t *at, const sigblock_mask *set)
{
    int32_t distance = (int32_t)((intptr_t)set - (intptr_t)(at + LEA_SIZE));

    return overwrite(memory, at + sizeof(lea), &distance, sizeof(distance));
}

static unsigned redirect_all(int memory, const sigblock_mask *set)
{
    const uint8_t *text = (const uint8_t *)libc_text;
    const uint8_t *end = text + libc_text_size;
    unsigned changed = 0;

    for (const uint8_t *at = text + NEAR; at < end - 2 * NEAR; at++) {
        at = memmem(at, (size_t)(end - 2 * NEAR - at), lea, sizeof(lea));
        if (!at)
            break;
        if (is_followed_by_call(at) && loads_all_signals(at) && redirect(memory, at, set))
            changed++;
    }
    return changed;
}

unsigned guard_libc_open_signals(void)
{
    sigblock_mask open = ~guard_signal_ours();
    sigblock_mask *set = libc_text_size ? find_room() : NULL;
    long memory = sys_call(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC);
    unsigned changed = 0;

    if (memory < 0)
        return 0;
    if (set && overwrite((int)memory, (const uint8_t *)set, &open, sizeof(open)))
        changed = redirect_all((int)memory, set);
    sys_call(SYS_close, memory);
    return changed;
}
#else
unsigned guard_libc_open_signals(void)
{
    return 0;
}
#endif
