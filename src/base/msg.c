/* SPDX-License-Identifier: MIT */
/*
 * Messages, made on the stack and written with one call, so that lines of threads and processes
 * that share stderr do not mix. A stderr that takes nothing loses the message: nothing waits for
 * it.
 */
#include "base/msg.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

/* Longer messages are cut. */
#define LINE_SIZE 512

/* Kinds of messages whose rate is limited one by one; further ones share the last place. */
#define KINDS 64

#define BURST       20
#define INTERVAL_NS UINT64_C(1000000000)

/* Set before threads start or by one thread; the pair is not read as one: set the context first. */
static _Atomic(uswap_message_fn) handler_fn;
static void *_Atomic handler_context;

static _Atomic int most_verbose = USWAP_INFO;
static int log_fd = -1;

static const char *const level_names[] = {"error", "warning", "info", "debug"};

void msg_set_handler(uswap_message_fn handler, void *context)
{
    atomic_store(&handler_context, context);
    atomic_store(&handler_fn, handler);
}

void msg_set_level(enum uswap_level level)
{
    atomic_store(&most_verbose, level);
}

int msg_level_of(const char *name)
{
    for (size_t i = 0; i < array_size(level_names); i++)
        if (strcmp(name, level_names[i]) == 0)
            return (int)i;
    return -1;
}

int msg_open_log(const char *path)
{
    long fd = sys_call(SYS_openat, AT_FDCWD, path,
                       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);

    if (fd < 0)
        return (int)fd;
    fd_close(log_fd);
    log_fd = fd_move_high((int)fd);
    return 0;
}

/* ---- Rates ---- */

/* When the next message of a kind would be due at the steady rate: it may come up to BURST
 * intervals early. */
struct kind {
    _Atomic(const char *) format;
    _Atomic uint64_t due;
    _Atomic uint32_t left_out;
};

static struct kind kinds[KINDS];

static struct kind *kind_of(const char *format)
{
    for (unsigned i = 0; i < KINDS - 1; i++) {
        const char *seen = atomic_load(&kinds[i].format);

        if (seen == format ||
            (!seen &&
             (atomic_compare_exchange_strong(&kinds[i].format, &seen, format) || seen == format)))
            return &kinds[i];
    }
    return &kinds[KINDS - 1];
}

static bool may_pass(struct kind *kind)
{
    uint64_t now = clock_now_ns();
    uint64_t due = atomic_load(&kind->due), next;

    do {
        if (due > now + (BURST - 1) * INTERVAL_NS) {
            atomic_fetch_add(&kind->left_out, 1);
            return false;
        }
        next = max_u64(due, now) + INTERVAL_NS;
    } while (!atomic_compare_exchange_weak(&kind->due, &due, next));
    return true;
}

/* ---- Lines ---- */

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

/* Our threads have a table of descriptors of their own (see fd.h) and fetch the program's stderr
 * for each line: were they to keep it, a program could not close it. */
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
    if (log_fd >= 0)
        write_line(log_fd, line, length);
    else if (write_line(2, line, length) == -EBADF)
        write_to_program(line, length);
}

/* UTC, without libc's time zones: years begin in March here, so that the leap day is their last. */
static size_t write_time(char *buffer, size_t size)
{
    struct timespec now;
    uint64_t days, of_era, year, of_year, month;
    unsigned seconds;

    clock_gettime(CLOCK_REALTIME, &now);
    seconds = (unsigned)(now.tv_sec % 86400);
    days = (uint64_t)now.tv_sec / 86400 + 719468; /* since 0000-03-01 */
    of_era = days % 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;
    year += days / 146097 * 400 + (month >= 10);
    return fmt_write(buffer, size, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year,
                     (unsigned)(month < 10 ? month + 3 : month - 9),
                     (unsigned)(of_year - (153 * month + 2) / 5 + 1), seconds / 3600,
                     seconds / 60 % 60, seconds % 60);
}

static size_t write_prefix(char *line, enum uswap_level level)
{
    size_t length;

    if (log_fd < 0)
        return fmt_write(line, LINE_SIZE, "uswap: ");
    length = write_time(line, LINE_SIZE);
    return length + fmt_write(line + length, LINE_SIZE - length,
                              " %d %s: ", (int)sys_call(SYS_getpid), level_names[level]);
}

static void emit(enum uswap_level level, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void emit(enum uswap_level level, const char *format, va_list args)
{
    struct kind *kind = kind_of(format);
    uswap_message_fn handler = atomic_load(&handler_fn);
    char line[LINE_SIZE + 1];
    size_t start, length;
    uint32_t left_out;

    if ((int)level > atomic_load(&most_verbose) || (!handler && !may_pass(kind)))
        return;
    start = handler ? 0 : write_prefix(line, level);
    length = start + fmt_vwrite(line + start, LINE_SIZE - start, format, args);
    left_out = atomic_exchange(&kind->left_out, 0);
    if (left_out)
        length += fmt_write(line + length, LINE_SIZE - length, " (%u more like this)", left_out);
    if (handler)
        handler(atomic_load(&handler_context), level, line);
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

void msg_debug(const char *format, ...)
{
    EMIT(USWAP_DETAIL);
}
