/* SPDX-License-Identifier: MIT */
/* The thread that fetches what is recorded and appends it to the file. */
#ifndef USWAP_OBSERVE_TRACE_FILE_H
#define USWAP_OBSERVE_TRACE_FILE_H

#include "observe/trace.h"
#include "observe/trace_ring.h"

struct trace_job {
    const char *path;
    struct trace_source source;
    struct trace_ring *rings;
    uint64_t began_ns; /* CLOCK_MONOTONIC */
};

/* What trace.c says of itself: one of so many faults has a stack; whether this is not the child of
 * a vfork(), which has its parent's memory. */
void trace_get_sampling(uint32_t *reads, uint32_t *others);
bool trace_is_own_process(void);

/* At start, one thread; *job stays. -errno. */
int trace_file_open(const struct trace_job *job) must_check;

/* Something is recorded: see to it that the thread is there. Any thread, in the fault handler. */
void trace_file_need(void);

/* Whether there is a file, or soon will be: a child that records nothing has none. */
bool trace_file_is_there(void);

/* Have it fetch now. */
void trace_file_wake(void);

/* Have it fetch all, and wait for that up to a second. */
void trace_file_finish(void);

/* The child has neither file nor thread until something is recorded. */
void trace_file_fork_child(void);

#endif
