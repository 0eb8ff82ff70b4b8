/* SPDX-License-Identifier: MIT */
/* What seeing costs: the counters and trace points of one fault, by themselves, in nanoseconds. */
#include "base/clock.h"
#include "observe/parts.h"
#include "observe/status.h"
#include "observe/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 2000000u

/* Less than a ring holds; the thread that fetches is let in between. */
#define BURST 512u

static void no_regions(void)
{
}

static void levels(struct trace_levels *levels)
{
    memset(levels, 0, sizeof(*levels));
}

static void count_fault(uint32_t page)
{
    stats_time(HISTOGRAM_MINOR, page);
    stats_add(STAT_FAULTS_MINOR, 1);
}

static void mark_parts(uint32_t page)
{
    parts_end(PART_LOOKUP);
}

static void look_at_clock(uint32_t page)
{
    if (clock_now_ns() == 0)
        page++;
}

static void trace_one(uint32_t page)
{
    trace_fault(TRACE_FAULT_MASKED, 2 * page, false, 1, NULL);
}

static void trace_run(uint32_t page)
{
    trace_evict(page, 1);
}

static ucontext_t context;

static void trace_with_stack(uint32_t page)
{
    trace_fault(TRACE_FAULT_READ, 2 * page, false, 1, &context);
}

/* Nanoseconds of one; `pause`: what is recorded has to be fetched. */
static double measure(void (*what)(uint32_t page), bool pause, unsigned rounds)
{
    uint64_t spent = 0;

    for (unsigned i = 0; i < rounds; i += BURST) {
        uint64_t start = clock_now_ns();
        for (unsigned k = 0; k < BURST; k++)
            what(i + k);
        spent += clock_now_ns() - start;
        if (pause)
            usleep(200);
    }
    return (double)spent / rounds;
}

static void print(const char *what, double ns)
{
    printf("%-52s %7.1f ns\n", what, ns);
}

int main(void)
{
    const struct trace_source source = {0, levels, no_regions};
    char path[] = "/var/tmp/uswap-profile-XXXXXX";
    int fd = mkstemp(path);

    status_start();
    print("a look at the clock", measure(look_at_clock, false, ROUNDS));
    print("counter and histogram of a fault", measure(count_fault, false, ROUNDS));
    print("a mark of a part, not timed", measure(mark_parts, false, ROUNDS));
    parts_begin(clock_now_ns());
    parts_since = clock_now_ns();
    print("a mark of a part, timed", measure(mark_parts, false, ROUNDS));
    parts_stop();
    print("a trace point, off", measure(trace_one, false, ROUNDS));
    if (fd < 0 || trace_start(path, &source))
        return 1;
    getcontext(&context);
    print("a page more of a run that is traced", measure(trace_run, true, ROUNDS / 8));
    print("a fault that is traced", measure(trace_one, true, ROUNDS / 8));
    print("the same with its stack, one in eight", measure(trace_with_stack, true, ROUNDS / 32));
    unlink(path);
    return 0;
}
