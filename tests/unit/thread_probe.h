/* SPDX-License-Identifier: MIT */
/* A library with a thread-local variable, which it uses on a thread of its own. */
#ifndef USWAP_TESTS_THREAD_PROBE_H
#define USWAP_TESTS_THREAD_PROBE_H

/* Add so much to the variable on a new thread: its value there, or -1 when the thread does not run.
 * Once per process. */
int thread_probe(int increment);

#endif
