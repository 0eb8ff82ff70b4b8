/* SPDX-License-Identifier: MIT */
/*
 * The stub page lies just below the window, with which it was reserved, so every process that has
 * the same window finds it at the same address, and the filter that children inherit fits them too.
 */
#include "heap/guard/guard_call.h"

#include "arena/window.h"
#include "base/sys.h"
#include "heap/guard/guard_dispatch.h"
#include "heap/guard/guard_parts.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_table.h"
#include "heap/guard/guard_walk.h"

#include <string.h>
#include <sys/mman.h>

uintptr_t guard_call_stub(void)
{
    return window.base - PAGE_SIZE;
}

int guard_call_start(void)
{
    void *page = (void *)guard_call_stub();
    long at = sys_call(SYS_mmap, page, PAGE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (at != (long)page)
        return (int)at;
    if (!guard_dispatch_write_stub(page))
        memcpy(page, sys_enter_code, sys_enter_size);
    __builtin___clear_cache(page, (char *)page + PAGE_SIZE);

    int error = (int)sys_call(SYS_mprotect, page, PAGE_SIZE, PROT_READ | PROT_EXEC);
    if (!error)
        sys_enter = (sys_enter_fn)(uintptr_t)page;
    return error;
}

long guard_call_plain(long number, const long arguments[6])
{
    return sys_call6(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                     arguments[5]);
}

long guard_call_once(const struct guard_call *call, long number, const long arguments[6])
{
    guard_pins pins = guard_pins_open();

    guard_walk(call, arguments);
    if (number == SYS_execve || number == SYS_execveat)
        guard_pins_abandon(pins);
    long result = guard_call_plain(number, arguments);
    guard_pins_close(pins);
    return result;
}

long guard_call(long number, const long arguments[6])
{
    const struct guard_call *call = guard_table_find(number);

    if (!call)
        return guard_call_plain(number, arguments);
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
