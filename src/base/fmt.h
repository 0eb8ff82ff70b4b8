/* SPDX-License-Identifier: MIT */
/*
 * printf without malloc, locale or stdio; safe in a signal handler.
 *
 * Conversions: %d %i %u %x %c %s %p %% with l, ll, z and h/hh accepted, a width, a precision for
 * %s, and the flags 0 and -. Anything else is copied as it stands.
 */
#ifndef USWAP_BASE_FMT_H
#define USWAP_BASE_FMT_H

#include <stdarg.h>
#include <stddef.h>

/* Write at most size - 1 bytes and a NUL; returns the length without NUL that was written. */
size_t fmt_write(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t fmt_vwrite(char *buffer, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* As strerrorname_np(-error) without locale or malloc: "ENOSPC"; "E999" for an unknown one. The
 * result is static or in buffer. error may be positive or negative. */
const char *fmt_errno(int error, char buffer[8]);

#endif
