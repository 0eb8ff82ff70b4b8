/* SPDX-License-Identifier: MIT */
/* sigaction() by system call: libc's is interposed by the preload library. Safe in a signal
 * handler. */
#ifndef USWAP_BASE_SIGACTION_H
#define USWAP_BASE_SIGACTION_H

#include "base/base.h"

#include <signal.h>

/* As sigaction(2); action or old may be NULL. 0 or -errno. */
int sigaction_raw(int signo, const struct sigaction *action, struct sigaction *old) must_check;

/* Have handlers that are installed from now on return through this code, on x86-64, instead of
 * through ours. At start. */
void sigaction_set_restorer(const void *code);

/* Where handlers return to, on x86-64. */
const void *sigaction_restorer(void);

#endif
