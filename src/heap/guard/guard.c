/* SPDX-License-Identifier: MIT */
#include "heap/guard/guard.h"

#include "base/fmt.h"
#include "base/msg.h"
#include "heap/guard/guard_call.h"
#include "heap/guard/guard_dispatch.h"
#include "heap/guard/guard_filter.h"
#include "heap/guard/guard_handler.h"
#include "heap/guard/guard_libc.h"
#include "heap/guard/guard_pins.h"
#include "heap/guard/guard_trap.h"

/* The handler first: with an inherited filter the next call may be trapped. */
int guard_start(void)
{
    char name[8];
    int error = guard_trap_start();

    guard_handler_start();
    guard_pins_start();
    if (!error)
        error = guard_call_start();
    if (error)
        return error;

    error = guard_filter_start();
    guard_dispatch_enter();
    guard_libc_open_signals(error == 0);
    if (error)
        msg_warning(
            "seccomp is not allowed here (%s): system calls made inside libraries fail with "
            "EFAULT when their memory is swapped out",
            fmt_errno(error, name));
    return 0;
}
