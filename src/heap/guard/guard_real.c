/* SPDX-License-Identifier: MIT */
#include "heap/guard/guard_real.h"

#include "base/msg.h"
#include "heap/guard/guard_pins.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/single_threaded.h>

void *guard_real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (!function) {
        msg_error("no function %s() in the libraries of this program", name);
        abort();
    }
    return function;
}

long guard_result(long result)
{
    if (result >= 0 || result < -4095)
        return result;
    errno = (int)-result;
    return -1;
}

static void release(void *pins)
{
    guard_pins_close(*(guard_pins *)pins);
}

long guard_call_blocking(long number, const long arguments[6])
{
    guard_pins pins;
    long result;
    int type;

    if (__libc_single_threaded)
        return guard_call(number, arguments);
    pins = guard_pins_open();
    pthread_cleanup_push(release, &pins);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    result = guard_call(number, arguments);
    pthread_setcanceltype(type, &type);
    pthread_cleanup_pop(0);
    return result;
}
