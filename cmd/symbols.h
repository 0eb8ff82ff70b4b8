/* SPDX-License-Identifier: MIT */
/*
 * Names of addresses, by elfutils' libdw, which is loaded when it is there: the command works
 * without it. Debug information is used where it is, else the symbols, exported ones included.
 */
#ifndef USWAP_CMD_SYMBOLS_H
#define USWAP_CMD_SYMBOLS_H

#include "report.h"

#include <stdbool.h>

/* NULL, or what is missing for names. */
const char *symbols_open(const struct trace *trace);
void symbols_close(void);

/* The function at an address, and FILE:LINE where that is known, else MODULE+OFFSET. Addresses that
 * a call returns to are to be given less one. Returns the module, NULL: in none. */
const struct module *symbols_find(const struct trace *trace, uint64_t address, char *function,
                                  size_t function_size, char *place, size_t place_size);

#endif
