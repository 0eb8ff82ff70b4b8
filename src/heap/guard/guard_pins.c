/* SPDX-License-Identifier: MIT */
/*
 * The record of pins, one per thread.
 *
 * Invariants
 *   entries[0 .. depth) are pinned, or have size 0. An entry is claimed (depth) before it is
 * filled, so a signal handler that comes in between stacks its own entries above. Each entry knows
 * the stack address of who made it. A live entry was made further up the stack than where we are;
 * one made further down belongs to a call that was left by siglongjmp(). On an alternate signal
 * stack addresses say nothing, and nothing is taken back.
 *
 * Entries live in thread-local storage; a call with more of them gets a mapping until all are gone.
 */
#include "heap/guard/guard_pins.h"

#include "arena/arena.h"
#include "base/meta.h"
#include "base/sys.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

struct entry {
    const void *address;
    size_t size;
    uintptr_t frame;
};

#define FEW  32
#define MANY 43690 /* in 1 MiB */

static __thread struct entry few[FEW];
static __thread struct entry *many; /* NULL: few is used */
static __thread unsigned depth;

static struct entry *entry_at(unsigned index)
{
    return many ? &many[index] : &few[index];
}

static uintptr_t here(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

static void drop_last(void)
{
    struct entry *last = entry_at(depth - 1);

    if (last->size)
        arena_unpin(last->address, last->size);
    last->size = 0;
    depth--;
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

static void drop_stale(void)
{
    uintptr_t now = here();

    if (entry_at(depth - 1)->frame > now || on_signal_stack())
        return;
    while (depth > 0 && entry_at(depth - 1)->frame < now)
        drop_last();
    shrink();
}

guard_pins guard_pins_open(void)
{
    if (unlikely(depth > 0))
        drop_stale();
    return depth;
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
    for (unsigned i = pins; i < depth; i++)
        entry_at(i)->frame = 0;
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

int guard_pins_add(const void *address, size_t size)
{
    if (!window_overlaps(address, size) || size == 0)
        return 0;
    if (!make_room())
        return -ENOMEM;

    unsigned mine = depth++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    int error = arena_pin(address, size);
    if (error) {
        depth--;
        return error;
    }
    *entry_at(mine) = (struct entry){address, size, here()};
    return 0;
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
