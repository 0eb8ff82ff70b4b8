/* SPDX-License-Identifier: MIT */
/* What the clocks of this machine cost, and how late waits with a limit end. */
#include "profile.h"

#include "base/lock.h"
#include "base/sys.h"

#include <time.h>

static void read_clock(void *id)
{
    struct timespec now;

    clock_gettime(*(clockid_t *)id, &now);
}

static void call_clock(void *id)
{
    struct timespec now;

    sys_call(SYS_clock_gettime, *(clockid_t *)id, &now);
}

static void read_ours(void *unused)
{
    clock_now_ns();
}

#if defined(__x86_64__)
static void read_counter(void *unused)
{
    __builtin_ia32_rdtsc();
}
#endif

static void wait_for(void *ns)
{
    static _Atomic uint32_t word;

    futex_wait(&word, 0, *(uint64_t *)ns);
}

int main(void)
{
    clockid_t monotonic = CLOCK_MONOTONIC, coarse = CLOCK_MONOTONIC_COARSE,
              process = CLOCK_PROCESS_CPUTIME_ID;
    uint64_t waits[] = {1000, 50000, 2000000, 10000000};
    char name[64];

    profile("clock_now_ns(), what a fault is timed with", 1000000, read_ours, NULL);
    profile("clock_gettime(MONOTONIC)", 1000000, read_clock, &monotonic);
    profile("clock_gettime(MONOTONIC_COARSE)", 1000000, read_clock, &coarse);
    profile("clock_gettime(MONOTONIC) as a system call", 200000, call_clock, &monotonic);
    profile("clock_gettime(PROCESS_CPUTIME_ID)", 200000, read_clock, &process);
#if defined(__x86_64__)
    profile("rdtsc", 1000000, read_counter, NULL);
#endif
    for (size_t i = 0; i < array_size(waits); i++) {
        snprintf(name, sizeof(name), "futex wait of %lu ns", (unsigned long)waits[i]);
        profile(name, 20, wait_for, &waits[i]);
    }
    return 0;
}
