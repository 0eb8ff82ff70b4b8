/* SPDX-License-Identifier: MIT */
/*
 * Sizes as people write them. All arithmetic is on integers, so that 0.1G is exactly 107374182 and
 * not what a double makes of it: a fraction is multiplied by its unit digit by digit from the
 * right, which truncates once, to a byte, however many digits there are.
 */
#include "base/size.h"

#include "base/fmt.h"

#include <errno.h>
#include <string.h>

typedef unsigned __int128 wide_t;

/* More than any size; larger whole parts are read as this. */
#define TOO_LARGE ((wide_t)1 << 64)

static const char units[] = "KMGT";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* A number as it is written: whole part, and the digits after the point. */
struct number {
    wide_t whole;
    const char *fraction;
    size_t fraction_length;
};

/* Read a number; returns the text after it, or NULL when there is none. */
static const char *read_number(const char *text, struct number *number)
{
    *number = (struct number){0};
    if (!is_digit(*text))
        return NULL;
    for (; is_digit(*text); text++) {
        number->whole = number->whole * 10 + (wide_t)(*text - '0');
        if (number->whole > TOO_LARGE)
            number->whole = TOO_LARGE;
    }
    if (*text != '.')
        return text;
    number->fraction = ++text;
    number->fraction_length = strspn(text, "0123456789");
    return number->fraction_length ? text + number->fraction_length : NULL;
}

/* The bytes of a unit with all that may follow it; 0 when text is not a unit. */
static uint64_t read_unit(const char *text)
{
    const char *unit = *text ? strchr(units, upper(*text)) : NULL;

    if (*text == '\0')
        return 1;
    if (!unit)
        return 0;
    text++;
    if (upper(text[0]) == 'I' && upper(text[1]) == 'B')
        text += 2;
    else if (upper(text[0]) == 'B')
        text++;
    return *text ? 0 : KIB << 10 * (unit - units);
}

/* number * unit, truncated. */
static wide_t multiply(const struct number *number, uint64_t unit)
{
    wide_t fraction = 0;

    for (size_t i = number->fraction_length; i > 0; i--)
        fraction = ((wide_t)(number->fraction[i - 1] - '0') * unit + fraction) / 10;
    return number->whole * unit + fraction;
}

static bool over_hundred(const struct number *number)
{
    bool fraction =
        number->fraction_length && strspn(number->fraction, "0") < number->fraction_length;

    return number->whole > 100 || (number->whole == 100 && fraction);
}

int size_parse(const char *text, uint64_t whole, uint64_t *size)
{
    struct number number;
    const char *rest = read_number(text, &number);
    bool percent = rest && strcmp(rest, "%") == 0;
    uint64_t unit = percent ? whole : rest ? read_unit(rest) : 0;
    wide_t bytes;

    if (!percent && unit == 0)
        return -EINVAL;
    if (percent && over_hundred(&number))
        return -ERANGE;
    bytes = multiply(&number, unit) / (percent ? 100 : 1);
    if (bytes > INT64_MAX)
        return -ERANGE;
    *size = (uint64_t)bytes;
    return 0;
}

const char *size_format(uint64_t size, char buffer[16])
{
    int power = -1;
    uint64_t unit = 1;

    while (power < 3 && size / unit >= 1024) {
        unit *= 1024;
        power++;
    }
    if (power < 0)
        fmt_write(buffer, 16, "%lu", size);
    else if (size % unit == 0)
        fmt_write(buffer, 16, "%lu%c", size / unit, units[power]);
    else
        fmt_write(buffer, 16, "%lu.%lu%c", size / unit, size % unit * 10 / unit, units[power]);
    return buffer;
}
