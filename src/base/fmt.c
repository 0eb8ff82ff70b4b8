/* SPDX-License-Identifier: MIT */
/*
 * printf on a buffer, for code that may not call libc: a format is read one conversion at a time
 * into a struct spec, the conversion makes a text, and the text is padded into the buffer.
 */
#include "base/fmt.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

struct out {
    char *buffer;
    size_t size;
    size_t length;
};

/* One conversion as the format asks for it: %[-0][width][.precision][hh|h|l|ll|z]conversion */
struct spec {
    bool left;
    bool zeros;
    size_t width;
    size_t precision; /* SIZE_MAX: none */
    unsigned bits;    /* of the integer argument */
    char conversion;
};

/* The text of a conversion: a sign or "0x", then digits or characters. */
struct text {
    const char *prefix;
    const char *body;
    size_t body_length;
};

/* Digits of 2^64 - 1 in decimal. */
#define DIGITS_MAX 20

static void put(struct out *out, const char *text, size_t length)
{
    size_t room = out->size - 1 - out->length;

    if (length > room)
        length = room;
    memcpy(out->buffer + out->length, text, length);
    out->length += length;
}

static void put_repeated(struct out *out, char c, size_t count)
{
    size_t room = out->size - 1 - out->length;

    if (count > room)
        count = room;
    memset(out->buffer + out->length, c, count);
    out->length += count;
}

static void put_padded(struct out *out, const struct spec *spec, const struct text *text)
{
    size_t prefix_length = strlen(text->prefix);
    size_t length = prefix_length + text->body_length;
    size_t pad = spec->width > length ? spec->width - length : 0;
    bool zeros = spec->zeros && !spec->left;

    if (!spec->left && !zeros)
        put_repeated(out, ' ', pad);
    put(out, text->prefix, prefix_length);
    if (zeros)
        put_repeated(out, '0', pad);
    put(out, text->body, text->body_length);
    if (spec->left)
        put_repeated(out, ' ', pad);
}

static void put_number(struct out *out, const struct spec *spec, const char *prefix, uint64_t value)
{
    unsigned base = spec->conversion == 'x' || spec->conversion == 'p' ? 16 : 10;
    char digits[DIGITS_MAX];
    char *first = digits + sizeof(digits);

    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put_padded(out, spec, &(struct text){prefix, first, (size_t)(digits + sizeof(digits) - first)});
}

static void put_string(struct out *out, struct spec *spec, const char *string)
{
    if (!string)
        string = "(null)";
    spec->zeros = false;
    put_padded(out, spec, &(struct text){"", string, strnlen(string, spec->precision)});
}

static void put_signed(struct out *out, const struct spec *spec, uint64_t value)
{
    /* Arguments narrower than 64 bits come with rubbish, or with their promotion, above. */
    int64_t number = (int64_t)(value << (64 - spec->bits)) >> (64 - spec->bits);

    put_number(out, spec, number < 0 ? "-" : "",
               number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void put_unsigned(struct out *out, const struct spec *spec, uint64_t value)
{
    put_number(out, spec, "", value << (64 - spec->bits) >> (64 - spec->bits));
}

static const char *read_count(const char *format, size_t *count)
{
    for (*count = 0; *format >= '0' && *format <= '9'; format++)
        if (*count < 1000000)
            *count = *count * 10 + (size_t)(*format - '0');
    return format;
}

/* Read the length modifier. */
static const char *read_bits(const char *format, unsigned *bits)
{
    *bits = 32;
    for (; *format == 'h' && *bits > 8; format++)
        *bits /= 2;
    for (; *format == 'l' || *format == 'z'; format++)
        *bits = 64;
    return format;
}

/* Read what follows a %; returns the format after the conversion. */
static const char *read_spec(const char *format, struct spec *spec)
{
    *spec = (struct spec){.precision = SIZE_MAX};
    for (; *format == '-' || *format == '0'; format++) {
        spec->left |= *format == '-';
        spec->zeros |= *format == '0';
    }
    format = read_count(format, &spec->width);
    if (*format == '.')
        format = read_count(format + 1, &spec->precision);
    format = read_bits(format, &spec->bits);
    spec->conversion = *format;
    return *format ? format + 1 : format;
}

static uint64_t next_integer(const struct spec *spec, va_list *args)
{
    return spec->bits == 64 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
}

/* Write one conversion; false, and nothing is taken from args, when there is no such conversion. */
static bool convert(struct out *out, struct spec *spec, va_list *args)
{
    char c;

    switch (spec->conversion) {
    case 'd':
    case 'i':
        put_signed(out, spec, next_integer(spec, args));
        return true;
    case 'u':
    case 'x':
        put_unsigned(out, spec, next_integer(spec, args));
        return true;
    case 'p':
        put_number(out, spec, "0x", (uintptr_t)va_arg(*args, void *));
        return true;
    case 's':
        put_string(out, spec, va_arg(*args, const char *));
        return true;
    case 'c':
        c = (char)va_arg(*args, int);
        spec->zeros = false;
        put_padded(out, spec, &(struct text){"", &c, 1});
        return true;
    case '%':
        put(out, "%", 1);
        return true;
    default:
        return false;
    }
}

size_t fmt_vwrite(char *buffer, size_t size, const char *format, va_list args)
{
    struct out out = {buffer, size, 0};
    struct spec spec;
    va_list rest;

    if (size == 0)
        return 0;
    va_copy(rest, args);
    while (*format) {
        const char *end = format + strcspn(format, "%");
        put(&out, format, (size_t)(end - format));
        if (!*end)
            break;
        format = read_spec(end + 1, &spec);
        if (!convert(&out, &spec, &rest))
            put(&out, end, (size_t)(format - end));
    }
    va_end(rest);
    buffer[out.length] = '\0';
    return out.length;
}

size_t fmt_write(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    size_t length;

    va_start(args, format);
    length = fmt_vwrite(buffer, size, format, args);
    va_end(args);
    return length;
}

#define NAME(error) [error] = #error

/* What IO, memory, thread and socket calls can give. */
static const char error_names[][16] = {
    NAME(EPERM),         NAME(ENOENT),       NAME(ESRCH),
    NAME(EINTR),         NAME(EIO),          NAME(ENXIO),
    NAME(E2BIG),         NAME(ENOEXEC),      NAME(EBADF),
    NAME(ECHILD),        NAME(EAGAIN),       NAME(ENOMEM),
    NAME(EACCES),        NAME(EFAULT),       NAME(ENOTBLK),
    NAME(EBUSY),         NAME(EEXIST),       NAME(EXDEV),
    NAME(ENODEV),        NAME(ENOTDIR),      NAME(EISDIR),
    NAME(EINVAL),        NAME(ENFILE),       NAME(EMFILE),
    NAME(ENOTTY),        NAME(ETXTBSY),      NAME(EFBIG),
    NAME(ENOSPC),        NAME(ESPIPE),       NAME(EROFS),
    NAME(EMLINK),        NAME(EPIPE),        NAME(EDOM),
    NAME(ERANGE),        NAME(EDEADLK),      NAME(ENAMETOOLONG),
    NAME(ENOLCK),        NAME(ENOSYS),       NAME(ENOTEMPTY),
    NAME(ELOOP),         NAME(ENODATA),      NAME(ETIME),
    NAME(EREMOTEIO),     NAME(EPROTO),       NAME(EBADMSG),
    NAME(EOVERFLOW),     NAME(EILSEQ),       NAME(EUSERS),
    NAME(ENOTSOCK),      NAME(EDESTADDRREQ), NAME(EMSGSIZE),
    NAME(EPROTOTYPE),    NAME(ENOPROTOOPT),  NAME(EPROTONOSUPPORT),
    NAME(EOPNOTSUPP),    NAME(EAFNOSUPPORT), NAME(EADDRINUSE),
    NAME(EADDRNOTAVAIL), NAME(ENETDOWN),     NAME(ENETUNREACH),
    NAME(ENETRESET),     NAME(ECONNABORTED), NAME(ECONNRESET),
    NAME(ENOBUFS),       NAME(EISCONN),      NAME(ENOTCONN),
    NAME(ESHUTDOWN),     NAME(ETIMEDOUT),    NAME(ECONNREFUSED),
    NAME(EHOSTDOWN),     NAME(EHOSTUNREACH), NAME(EALREADY),
    NAME(EINPROGRESS),   NAME(ESTALE),       NAME(EUCLEAN),
    NAME(EDQUOT),        NAME(ENOMEDIUM),    NAME(EMEDIUMTYPE),
    NAME(ECANCELED),     NAME(EOWNERDEAD),   NAME(ENOTRECOVERABLE),
    NAME(EHWPOISON),
};

const char *fmt_errno(int error, char buffer[8])
{
    unsigned number = error < 0 ? 0 - (unsigned)error : (unsigned)error;

    if (number < array_size(error_names) && error_names[number][0])
        return error_names[number];
    fmt_write(buffer, 8, "E%u", number);
    return buffer;
}
