/* SPDX-License-Identifier: MIT */
/* What the process has mapped to execute, for the file of a trace. For one thread. */
#ifndef USWAP_OBSERVE_TRACE_MODULES_H
#define USWAP_OBSERVE_TRACE_MODULES_H

#include "base/base.h"
#include "observe/trace_format.h"

/* Look whether stacks among these records lead to where nothing was mapped when it was last read.
 */
void trace_modules_look(const struct trace_record *records, uint32_t count);

/* Whether to read again; `at_once`: also when nothing unknown has been seen. */
bool trace_modules_due(uint64_t now, bool at_once);

/* Write the lines of a block; returns their size. What does not fit is left out. */
size_t trace_modules_read(char *text, size_t size);

void trace_modules_forget(void);

#endif
