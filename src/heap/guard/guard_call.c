/* SPDX-License-Identifier: MIT */
/*
 * The stub page lies just below the window, so every process that has the same window finds it at
 * the same address, and the filter that children inherit fits them too.
 */
#include "heap/guard/guard_call.h"

#include "arena/window.h"
#include "base/sys.h"
#include "heap/guard/guard_arch.h"
#include "heap/guard/guard_parts.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_table.h"
#include "heap/guard/guard_walk.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

__asm__(".pushsection .text\n"
        "guard_stub_begin:\n" GUARD_ARCH_STUB "guard_stub_end:\n"
        ".popsection\n");
extern const char guard_stub_begin[] __attribute__((visibility("hidden")));
extern const char guard_stub_end[] __attribute__((visibility("hidden")));

typedef long (*stub_fn)(long number, const long arguments[6]);

/* Without a page of its own, the stub serves from here; there is no filter then. */
static stub_fn stub = (stub_fn)(uintptr_t)guard_stub_begin;

uintptr_t guard_call_stub(void)
{
    return window.base - PAGE_SIZE;
}

int guard_call_start(void)
{
    void *page = (void *)guard_call_stub();
    long at = sys_call(SYS_mmap, page, PAGE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (at != (long)page)
        return at < 0 ? (int)at : -EEXIST;
    memcpy(page, guard_stub_begin, (size_t)(guard_stub_end - guard_stub_begin));
    __builtin___clear_cache(page, (char *)page + PAGE_SIZE);

    int error = (int)sys_call(SYS_mprotect, page, PAGE_SIZE, PROT_READ | PROT_EXEC);
    if (!error)
        stub = (stub_fn)(uintptr_t)page;
    return error;
}

long guard_call_plain(long number, const long arguments[6])
{
    return stub(number, arguments);
}

long guard_call_once(const struct guard_call *call, long number, const long arguments[6])
{
    guard_pins pins = guard_pins_open();

    guard_walk(call, arguments);
    if (number == SYS_execve || number == SYS_execveat)
        guard_pins_abandon(pins);
    long result = stub(number, arguments);
    guard_pins_close(pins);
    return result;
}

long guard_call(long number, const long arguments[6])
{
    const struct guard_call *call = guard_table_find(number);

    if (!call)
        return stub(number, arguments);
    if (unlikely(guard_parts_needed(call, arguments)))
        return guard_parts_transfer(call, number, arguments);
    return guard_call_once(call, number, arguments);
}

bool guard_call_needed(long number, const long arguments[6])
{
    const struct guard_call *call = guard_table_find(number);

    if (!call)
        return false;
    if (call->is_indirect)
        return true;
    for (unsigned i = 0; i < 6; i++)
        if (call->argument[i].kind != GUARD_VALUE && window_contains((const void *)arguments[i]))
            return true;
    return false;
}
