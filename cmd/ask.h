/* SPDX-License-Identifier: MIT */
/* Asking a process for something; see observe/control.h. */
#ifndef USWAP_CMD_ASK_H
#define USWAP_CMD_ASK_H

#include "peer.h"

enum ask_outcome {
    ASK_DONE,      /* *result is what the process said */
    ASK_LATER,     /* a small process without a thread: it obeys at its next page fault */
    ASK_STOPPED,   /* the process is stopped: withdrawn */
    ASK_SILENT,    /* no answer: withdrawn */
    ASK_WORKING,   /* taken up, but not finished in time */
    ASK_ENDED,     /* the process has ended */
    ASK_BUSY,      /* somebody else is asking it */
    ASK_FORBIDDEN, /* the control page cannot be opened */
};

/* Ask, and wait up to so many ms; as long again while the process gives up memory. */
enum ask_outcome ask(const struct peer *peer, enum control_kind kind, uint64_t argument,
                     unsigned ms, int *result);

/* The same in words, for messages. */
const char *ask_describe(enum ask_outcome outcome);

/* Have the parts of its faults timed for so long. False: not possible. */
_Bool ask_for_parts(const struct peer *peer, uint64_t ns);

/* Change the budget, waiting as ask() does, and report: a line for people in text. Returns whether
 * it was done. */
_Bool ask_for_budget(const struct peer *peer, uint64_t ram, unsigned ms, char *text, size_t size);

#endif
