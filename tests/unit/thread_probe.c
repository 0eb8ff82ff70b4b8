/* SPDX-License-Identifier: MIT */
#include "thread_probe.h"

#include "base/lock.h"
#include "base/thread.h"

static __thread int variable;
static _Atomic uint32_t done;
static int result = -1;

static void add(void *increment)
{
    result = variable += *(int *)increment;
    atomic_store(&done, 1);
    futex_wake_all(&done);
    for (;;)
        futex_wait(&done, 1, 0);
}

exported int thread_probe(int increment)
{
    variable = 1000;
    if (thread_start(add, &increment) != 0)
        return -1;
    for (int second = 0; second < 10 && !atomic_load(&done); second++)
        futex_wait(&done, 0, 1000000000);
    return result;
}
