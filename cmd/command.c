/* SPDX-License-Identifier: MIT */
#include "command.h"

#include "base/fmt.h"
#include "base/msg.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct command *command_parts(const struct command *command)
{
    if (command == &command_pool)
        return pool_commands;
    return command == &command_region ? region_commands : NULL;
}

const char *command_word(const struct command *command)
{
    const char *space = strrchr(command->name, ' ');

    return space ? space + 1 : command->name;
}

/* ---- Help: no line is longer than a narrow terminal ---- */

#define HELP_COLUMNS 80
#define HELP_TEXT    26 /* where the text of an option begins */

/* Something that stays in one piece, behind a space; what has no room goes into a new line, after
 * so many spaces. Returns the column. */
static int print_piece(const char *piece, int length, int column, int indent)
{
    bool fits = column + 1 + length <= HELP_COLUMNS;

    if (!fits)
        printf("\n%*s%.*s", indent, "", length, piece);
    else
        printf("%s%.*s", column > indent ? " " : "", length, piece);
    return (fits ? column + (column > indent) : indent) + length;
}

/* Text from this column on, which is not before the indentation, and the end of the line. A newline
 * in it begins a line, too. */
static void print_text(const char *text, int column, int indent)
{
    for (; *text; text += *text == ' ') {
        int length = (int)strcspn(text, " \n");
        column = length ? print_piece(text, length, column, indent) : column;
        text += length;
        if (*text == '\n') {
            printf("\n%*s", text[1] ? indent : 0, "");
            column = indent;
            text++;
        }
    }
}

static void print_usage(const struct command *command)
{
    int column = printf("usage: uswap %s", command->name);
    char piece[64];

    for (const struct option *option = command->options; option->name; option++) {
        int length = fmt_write(piece, sizeof(piece), option->argument ? "[%s %s]" : "[%s]",
                               option->name, option->argument);
        column = print_piece(piece, length, column, 10);
    }
    if (*command->operands)
        print_piece(command->operands, (int)strlen(command->operands), column, 10);
    printf("\n\n%s.\n\n", command->summary);
}

static void print_option(const struct option *option)
{
    int column = printf("  %s %s", option->name, option->argument ? option->argument : "");

    if (column >= HELP_TEXT)
        column = printf("\n") - 1;
    printf("%*s", HELP_TEXT - column, "");
    print_text(option->help, HELP_TEXT, HELP_TEXT);
    putchar('\n');
}

static void print_group(const struct command *command)
{
    printf("usage: uswap %s COMMAND [ARGUMENT...]\n\n%s.\n\n", command->name, command->summary);
    for (const struct command *one = command_parts(command); one->name; one++)
        printf("  %-8s %-10s %s\n", command_word(one), one->operands, one->summary);
    printf("\nA %s of another user is USER/NAME. uswap %s COMMAND --help tells more.\n",
           command->name, command->name);
}

void command_help(const struct command *command)
{
    if (command_parts(command)) {
        print_group(command);
        return;
    }
    print_usage(command);
    for (const struct option *option = command->options; option->name; option++)
        print_option(option);
    printf("  -h, --help%*sshow this\n", HELP_TEXT - 12, "");
    print_text(command->details, 0, 0);
}

/* ---- Options ---- */

/* The option that an argument names, as --name or --name=value; *value is what follows the sign, or
 * NULL. */
static const struct option *find_option(const struct command *command, const char *argument,
                                        const char **value)
{
    const char *sign = strchrnul(argument, '=');

    for (const struct option *option = command->options; option->name; option++) {
        size_t length = strlen(option->name);
        if ((size_t)(sign - argument) == length && strncmp(argument, option->name, length) == 0) {
            *value = *sign ? sign + 1 : NULL;
            return option;
        }
    }
    return NULL;
}

static bool read_option(const struct command *command, char ***next, void *target)
{
    const char *argument = *(*next)++;
    const char *value;
    const struct option *option = find_option(command, argument, &value);
    char label[64];

    if (!option) {
        msg_error("%s: no such option; see uswap %s --help", argument, command->name);
        return false;
    }
    if (!option->argument && value) {
        msg_error("%s: the option takes no value", argument);
        return false;
    }
    if (!option->argument)
        return option->read(argument, NULL, target) == 0;
    if (!value)
        value = *(*next);
    if (!value) {
        msg_error("%s: the value is missing; give %s", argument, option->argument);
        return false;
    }
    *next += value == **next;
    fmt_write(label, sizeof(label), "%s ", option->name);
    return option->read(label, value, target) == 0;
}

/* What follows the first operand may be for the program that is run. */
static bool ends_with_program(const struct command *command)
{
    return strstr(command->operands, "PROGRAM") != NULL;
}

/* One argument that begins with a dash. False: the end, with *status. */
static bool take_option(const struct command *command, char ***next, void *target, int *status)
{
    if (strcmp(**next, "-h") == 0 || strcmp(**next, "--help") == 0) {
        command_help(command);
        *status = EXIT_SUCCESS;
        return false;
    }
    *status = EXIT_USAGE;
    return read_option(command, next, target);
}

_Bool command_parse(const struct command *command, char **arguments, void *target, char ***operands,
                    int *status)
{
    char **kept = arguments;

    *operands = arguments;
    while (*arguments && strcmp(*arguments, "--") != 0) {
        if ((*arguments)[0] != '-' || !(*arguments)[1]) {
            if (ends_with_program(command))
                break;
            *kept++ = *arguments++;
        } else if (!take_option(command, &arguments, target, status)) {
            return false;
        }
    }
    arguments += *arguments && strcmp(*arguments, "--") == 0;
    while (*arguments)
        *kept++ = *arguments++;
    *kept = NULL;
    return true;
}

_Bool command_no_operands(const struct command *command, char **operands)
{
    if (*operands)
        msg_error("%s: %s: takes no arguments but options; see uswap %s --help", command->name,
                  *operands, command->name);
    return !*operands;
}

_Bool command_own_path(char *path)
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

    if (length < 0)
        return false;
    path[length] = '\0';
    return true;
}

_Bool command_find_beside(const char *place, char *path)
{
    char folder[PATH_MAX], candidate[2 * PATH_MAX];

    if (!command_own_path(folder))
        return false;
    strrchr(folder, '/')[1] = '\0';
    fmt_write(candidate, sizeof(candidate), "%s%s", folder, place);
    return realpath(candidate, path) != NULL;
}

int command_read_seconds(const char *label, const char *value, const double bounds[2],
                         double *seconds)
{
    char *end, range[32];
    double given = strtod(value, &end);

    *seconds = given;
    if (*value && !value[strspn(value, "0123456789.")] && !*end && given >= bounds[0] &&
        given <= bounds[1])
        return 0;
    snprintf(range, sizeof(range), "%g to %g", bounds[0], bounds[1]);
    msg_error("%s%s: not a number of seconds from %s", label, value, range);
    return -EINVAL;
}
