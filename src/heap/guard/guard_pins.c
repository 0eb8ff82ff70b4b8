/* SPDX-License-Identifier: MIT */
/*
 * The record of pins, one per thread.
 *
 * Invariants
 *   Entries [0 .. depth) are ranges that are pinned, empty ranges, or marks. An open pushes a mark,
 * so that each call's ranges lie above its mark. An entry is claimed (depth) before it is filled: a
 *   signal handler that comes in between stacks its own entries above.
 *   A mark knows the stack address of its call. The stack grows down: a call that is still under
 * way has a higher address than the one that opens now; one at the same address or below was left
 * by siglongjmp(). On an alternate signal stack addresses say nothing, and nothing is taken back.
 *
 * Entries live in thread-local storage; a call with more of them gets a mapping until all are gone.
 */
#include "heap/guard/guard_pins.h"

#include "arena/arena.h"
#include "base/meta.h"
#include "base/sys.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

struct entry {
    const void *address; /* NULL: a mark */
    union {
        size_t size;
        uintptr_t frame;
    };
};

#define FEW  32
#define MANY 43690 /* in 1 MiB */

static __thread struct entry few[FEW];
static __thread struct entry *many; /* NULL: few is used */
static __thread unsigned depth;

static pthread_key_t at_exit;
static bool has_key;
static __thread bool closes_at_exit;

static struct entry *entry_at(unsigned index)
{
    return many ? &many[index] : &few[index];
}

static int delay_cancellation(void)
{
    int type;

    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    return type;
}

/* Here the thread ends if it was cancelled meanwhile. */
static void allow_cancellation(int type)
{
    pthread_setcanceltype(type, &type);
}

/* Off the record first: a jump out of a handler that comes in between must not unpin twice. */
static void drop_last(void)
{
    struct entry last = *entry_at(depth - 1);
    int type = delay_cancellation();

    *entry_at(depth - 1) = (struct entry){0};
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    depth--;
    if (last.address && last.size)
        arena_unpin(last.address, last.size);
    allow_cancellation(type);
}

static void shrink(void)
{
    struct entry *mapping = many;

    if (depth > 0 || !mapping)
        return;
    many = NULL;
    meta_release(mapping, MANY * sizeof(struct entry));
}

static bool on_signal_stack(void)
{
    stack_t stack = {0};

    return sys_call(SYS_sigaltstack, 0, &stack) == 0 && stack.ss_flags & SS_ONSTACK;
}

static bool make_room(void)
{
    if (depth < FEW || (many && depth < MANY))
        return true;
    if (many)
        return false;

    struct entry *mapping = meta_reserve(MANY * sizeof(struct entry));
    if (!mapping)
        return false;
    memcpy(mapping, few, sizeof(few));
    many = mapping;
    return true;
}

static unsigned last_mark(void)
{
    unsigned mark = depth - 1;

    while (mark > 0 && entry_at(mark)->address)
        mark--;
    return mark;
}

static void drop_stale(uintptr_t now)
{
    while (depth > 0) {
        unsigned mark = last_mark();
        if (entry_at(mark)->frame > now || on_signal_stack())
            return;
        guard_pins_close(mark);
    }
}

static void close_all(void *unused)
{
    guard_pins_close(0);
}

void guard_pins_start(void)
{
    has_key = pthread_key_create(&at_exit, close_all) == 0;
}

/* In a signal handler, too: the first keys have room in the thread itself. */
static void close_at_exit(void)
{
    closes_at_exit = true;
    if (has_key)
        pthread_setspecific(at_exit, &closes_at_exit);
}

guard_pins guard_pins_open_at(uintptr_t frame)
{
    if (unlikely(!closes_at_exit))
        close_at_exit();
    if (unlikely(depth > 0))
        drop_stale(frame);
    if (!make_room())
        return depth;
    *entry_at(depth) = (struct entry){.frame = frame};
    return depth++;
}

void guard_pins_close(guard_pins pins)
{
    while (depth > pins)
        drop_last();
    if (unlikely(many))
        shrink();
}

void guard_pins_abandon(guard_pins pins)
{
    if (pins < depth)
        entry_at(pins)->frame = 0;
}

int guard_pins_add(const void *address, size_t size)
{
    if (!window_overlaps(address, size) || size == 0)
        return 0;
    if (!make_room())
        return -ENOMEM;

    unsigned mine = depth;
    int type = delay_cancellation();
    *entry_at(mine) = (struct entry){address, {0}};
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    depth = mine + 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    int error = arena_pin(address, size);
    if (error)
        drop_last();
    else
        entry_at(mine)->size = size;
    allow_cancellation(type);
    return error;
}

void guard_pins_add_up_to(const void *address, size_t size)
{
    uintptr_t first = (uintptr_t)address;

    while (size > 0 && guard_pins_add(address, size) != 0) {
        uintptr_t half = align_down(first + size / 2, PAGE_SIZE);
        uintptr_t page = align_down(first, PAGE_SIZE) + PAGE_SIZE;

        if (half > first)
            size = half - first;
        else if (first + size > page)
            size = page - first;
        else
            size = 0;
    }
}
