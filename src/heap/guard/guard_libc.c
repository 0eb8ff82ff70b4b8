/* SPDX-License-Identifier: MIT */
/*
 * The places are the calls of rt_sigprocmask() in the text of libc.so; glibc from 2.32 on has two
 * kinds that matter. All signals are blocked like this, with an instruction or two in between, in
 * any order before the syscall:
 *
 *     mov $SYS_rt_sigprocmask, %eax
 *     lea all_signals(%rip), %rsi
 *     syscall
 *
 * all_signals is a constant of eight bytes, all ones, which other code may use too; so the lea is
 * pointed at a set of ours, which lies in the unused end of the last page of libc's text.
 *
 * A new thread puts its own mask in force, out of the structure that libc keeps of it, with three
 * instructions one right behind the other, the first two in either order:
 *
 *     mov $SYS_rt_sigprocmask, %eax
 *     lea field(%register), %rsi
 *     syscall
 *
 * There the number is changed to one that the filter always traps. No instruction changes its
 * length or its place.
 */
#include "heap/guard/guard_libc.h"

#if defined(__x86_64__)
#include "base/sys.h"
#include "heap/guard/guard_filter.h"
#include "heap/guard/guard_signal.h"
#include "heap/libc.h"

#include <emmintrin.h>
#include <fcntl.h>
#include <string.h>

static const uint8_t move_number[] = {0xb8, SYS_rt_sigprocmask, 0, 0, 0};
static const uint8_t move_trapped[] = {0xb8, SYS_rt_sigprocmask, GUARD_FILTER_TRAPPED >> 8, 0, 0};
static const uint8_t enter_kernel[] = {0x0f, 0x05};
#define MOVE_SIZE  sizeof(move_number)
#define ENTER_SIZE sizeof(enter_kernel)

/* lea disp(%rip), %rsi; with another register it is as long. */
static const uint8_t lea[] = {0x48, 0x8d, 0x35};
#define LEA_SIZE (sizeof(lea) + sizeof(int32_t))

/* How far the lea may stand before the move, and the syscall behind it. */
#define BEFORE 48
#define BEHIND 24

/* Where the mask is in libc's structure of a thread; getcontext() and its kin have theirs lower. */
#define THREAD_FIELD_MIN 0x200
#define THREAD_FIELD_MAX 0x2000

/* Through the file, code is written as a debugger does it: never writable in the address space, and
 * where a system forbids this nothing has changed. */
static bool overwrite(int memory, const void *at, const void *bytes, size_t size)
{
    return sys_call(SYS_pwrite64, memory, bytes, size, at) == (long)size;
}

static int32_t displacement(const uint8_t *at)
{
    int32_t distance;

    memcpy(&distance, at + sizeof(lea), sizeof(distance));
    return distance;
}

/* ---- All signals ---- */

/* Our set, where a lea in libc can reach it; NULL: there is no room. */
static const sigblock_mask *place_set(int memory)
{
    static const sigblock_mask unused;
    sigblock_mask open = ~guard_signal_ours();
    uintptr_t end = align_up(libc_text + libc_text_size, sizeof(sigblock_mask));

    if (end % PAGE_SIZE == 0 || memcmp((void *)end, &unused, sizeof(unused)) != 0 ||
        !overwrite(memory, (void *)end, &open, sizeof(open)))
        return NULL;
    return (sigblock_mask *)end;
}

static bool loads_all_signals(const uint8_t *at)
{
    uintptr_t target = (uintptr_t)at + LEA_SIZE + (uintptr_t)(intptr_t)displacement(at);
    sigblock_mask set;

    /* Constants lie behind the text, not far. */
    if (memcmp(at, lea, sizeof(lea)) != 0 || target < libc_text ||
        target - libc_text > 2 * libc_text_size)
        return false;
    memcpy(&set, (const void *)target, sizeof(set));
    return set == ~(sigblock_mask)0;
}

static bool open_set(int memory, const uint8_t *move, const sigblock_mask *set)
{
    const uint8_t *enter = memmem(move, BEHIND, enter_kernel, ENTER_SIZE);

    for (const uint8_t *at = move - BEFORE; set && enter && at + LEA_SIZE <= enter; at++) {
        int32_t distance = (int32_t)((intptr_t)set - (intptr_t)(at + LEA_SIZE));
        if (loads_all_signals(at))
            return overwrite(memory, at + sizeof(lea), &distance, sizeof(distance));
    }
    return false;
}

/* ---- The mask of a new thread ---- */

/* lea disp(%register), %rsi, without a scaled index */
static bool loads_thread_mask(const uint8_t *at)
{
    return (at[0] & 0xfe) == 0x48 && at[1] == 0x8d && (at[2] & 0xf8) == 0xb0 && at[2] != 0xb4 &&
           displacement(at) >= THREAD_FIELD_MIN && displacement(at) < THREAD_FIELD_MAX;
}

static bool enters_kernel(const uint8_t *at)
{
    return memcmp(at, enter_kernel, ENTER_SIZE) == 0;
}

static bool open_thread(int memory, const uint8_t *move)
{
    const uint8_t *next = move + MOVE_SIZE;
    bool is_start = (loads_thread_mask(next) && enters_kernel(next + LEA_SIZE)) ||
                    (loads_thread_mask(move - LEA_SIZE) && enters_kernel(next));

    return is_start && overwrite(memory, move, move_trapped, MOVE_SIZE);
}

#define STEP sizeof(__m128i)
_Static_assert(STEP + MOVE_SIZE <= BEHIND, "nothing behind the text is read");

/* Where in the next bytes, a bit each, the first two of the move stand. */
static unsigned begins_move(const uint8_t *at)
{
    __m128i first = _mm_loadu_si128((const void *)at);
    __m128i second = _mm_loadu_si128((const void *)(at + 1));
    __m128i both = _mm_and_si128(_mm_cmpeq_epi8(first, _mm_set1_epi8((char)move_number[0])),
                                 _mm_cmpeq_epi8(second, _mm_set1_epi8((char)move_number[1])));

    return (unsigned)_mm_movemask_epi8(both);
}

/* The next move of the number; many bytes at once, for the whole text is searched when a program
 * starts. */
static const uint8_t *next_move(const uint8_t *from, const uint8_t *end)
{
    for (const uint8_t *at = from; at < end; at += STEP) {
        for (unsigned found = begins_move(at); found; found &= found - 1) {
            const uint8_t *move = at + __builtin_ctz(found);
            if (memcmp(move, move_number, MOVE_SIZE) == 0)
                return move < end ? move : NULL;
        }
    }
    return NULL;
}

unsigned guard_libc_open_signals(bool with_filter)
{
    const uint8_t *at = (const uint8_t *)libc_text + BEFORE;
    const uint8_t *end = (const uint8_t *)libc_text + libc_text_size - BEHIND;
    unsigned changed = 0;
    long memory;

    if (!libc_text_size)
        return 0;
    memory = sys_call(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (memory < 0)
        return 0;

    const sigblock_mask *set = place_set((int)memory);
    for (; (at = next_move(at, end)); at += MOVE_SIZE) {
        changed += open_set((int)memory, at, set);
        changed += with_filter && open_thread((int)memory, at);
    }
    sys_call(SYS_close, memory);
    return changed;
}
#else
unsigned guard_libc_open_signals(bool with_filter)
{
    return 0;
}
#endif
