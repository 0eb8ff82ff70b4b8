/* SPDX-License-Identifier: MIT */
/*
 * Messages: one line each on stderr with the prefix "uswap: ", in a log file with time, process and
 * level, or to the program's handler. No malloc, no stdio, no lock: any function here may be called
 * from the fault handler.
 *
 * Of one kind of message (one format) 20 come through at once, then one a second; the next one that
 * does says how many were left out. A handler gets them all.
 */
#ifndef USWAP_BASE_MSG_H
#define USWAP_BASE_MSG_H

#include "base/base.h"
#include "uswap/uswap.h"

/* The format is that of fmt.h, and stays: its address says which kind of message it is. */
void msg_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void msg_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void msg_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void msg_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

void msg_set_handler(uswap_message_fn handler, void *context);

/* Graver ones and these are said; at first those up to USWAP_INFO. */
void msg_set_level(enum uswap_level level);

/* "error", "warning", "info", "debug"; -1: none of them. */
int msg_level_of(const char *name);

/* Append to this file instead of writing to stderr. At start, one thread. */
int msg_open_log(const char *path) must_check;

#endif
