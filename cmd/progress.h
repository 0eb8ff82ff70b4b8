/* SPDX-License-Identifier: MIT */
/* A line on stderr that says how far something is when it takes longer than a second; on a
 * terminal, and nowhere else. It is gone when what it is about is done. */
#ifndef USWAP_CMD_PROGRESS_H
#define USWAP_CMD_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/* Of work that is done in steps: call it often. */
void progress_show(const char *what, size_t done, size_t all);
void progress_clear(void);

/*
 * Of one call that takes its time: a thread shows how long already and, unless left is NULL, how
 * many bytes are left, as it says when it is called there. Not in a process that may fork
 * meanwhile. What is written to stderr before progress_end() takes the place of the line.
 */
void progress_begin(const char *what, uint64_t (*left)(const void *), const void *target);
void progress_end(void);

#endif
