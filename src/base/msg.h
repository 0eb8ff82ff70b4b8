/* SPDX-License-Identifier: MIT */
/*
 * Messages: one line each on stderr with the prefix "uswap: ", or to the program's handler. No
 * malloc, no stdio, no lock: any function here may be called from the fault handler.
 */
#ifndef USWAP_BASE_MSG_H
#define USWAP_BASE_MSG_H

#include "uswap/uswap.h"

/* The format is that of fmt.h. */
void msg_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void msg_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void msg_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

void msg_set_handler(uswap_message_fn handler, void *context);

#endif
