/* SPDX-License-Identifier: MIT */
/* The interposed syscall(): what a call would find interposed by name, it finds here. */
#include "heap/guard/guard_real.h"
#include "heap/guard/guard_serve.h"

#include <stdarg.h>
#include <unistd.h>

/* Calls that return on another stack take no pointer that the guard cares for: libc makes them. */
exported long syscall(long number, ...)
{
    long arguments[6];
    va_list list;

    va_start(list, number);
    for (unsigned i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (guard_serve_is_special(number, arguments))
        return guard_result(guard_serve(number, arguments, NULL));
    if (guard_call_needed(number, arguments))
        return guard_result(guard_call(number, arguments));
    return REAL(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3],
                         arguments[4], arguments[5]);
}
