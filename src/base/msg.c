/* SPDX-License-Identifier: MIT */
/*
 * Messages, made on the stack and written with one call, so that lines of threads and processes
 * that share stderr do not mix. A stderr that takes nothing loses the message: nothing waits for
 * it.
 */
#include "base/msg.h"

#include "base/base.h"
#include "base/fmt.h"
#include "base/sys.h"

#include <errno.h>
#include <stdatomic.h>

/* Longer messages are cut. */
#define LINE_SIZE 512

/* Set before threads start or by one thread; the pair is not read as one: set the context first. */
static _Atomic(uswap_message_fn) handler_fn;
static void *_Atomic handler_context;

void msg_set_handler(uswap_message_fn handler, void *context)
{
    atomic_store(&handler_context, context);
    atomic_store(&handler_fn, handler);
}

static long write_line(int fd, const char *line, size_t length)
{
    for (size_t done = 0; done < length;) {
        long written = sys_call(SYS_write, fd, line + done, length - done);
        if (written == -EINTR)
            continue;
        if (written <= 0)
            return written;
        done += (size_t)written;
    }
    return 0;
}

/* The swap thread has a table of descriptors of its own (see fd.h) and fetches the program's stderr
 * for each line: were it to keep it, a program could not close it. */
static void write_to_program(const char *line, size_t length)
{
    long program = sys_call(SYS_pidfd_open, sys_call(SYS_getpid), 0);
    long fd = program < 0 ? program : sys_call(SYS_pidfd_getfd, program, 2, 0);

    if (fd >= 0) {
        write_line((int)fd, line, length);
        sys_call(SYS_close, fd);
    }
    if (program >= 0)
        sys_call(SYS_close, program);
}

static void print_line(char *line, size_t length)
{
    line[length++] = '\n';
    if (write_line(2, line, length) == -EBADF)
        write_to_program(line, length);
}

static void emit(enum uswap_level level, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void emit(enum uswap_level level, const char *format, va_list args)
{
    static const char prefix[] = "uswap: ";
    char line[LINE_SIZE + 1];
    size_t start = fmt_write(line, LINE_SIZE, "%s", prefix);
    size_t length = start + fmt_vwrite(line + start, LINE_SIZE - start, format, args);
    uswap_message_fn handler = atomic_load(&handler_fn);

    if (handler)
        handler(atomic_load(&handler_context), level, line + start);
    else
        print_line(line, length);
}

#define EMIT(level)                                                                                \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        emit(level, format, args);                                                                 \
        va_end(args);                                                                              \
    } while (0)

void msg_error(const char *format, ...)
{
    EMIT(USWAP_ERROR);
}

void msg_warning(const char *format, ...)
{
    EMIT(USWAP_WARNING);
}

void msg_info(const char *format, ...)
{
    EMIT(USWAP_INFO);
}
