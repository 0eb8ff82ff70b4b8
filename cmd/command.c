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

void command_help(const struct command *command)
{
    const struct option *option = command->options;

    printf("usage: uswap %s", command->name);
    for (; option->name; option++)
        printf(option->argument ? " [%s %s]" : " [%s]", option->name, option->argument);
    printf(*command->operands ? " %s\n\n%s.\n\n" : "%s\n\n%s.\n\n", command->operands,
           command->summary);
    for (option = command->options; option->name; option++)
        printf("  %s %-*s %s\n", option->name, (int)(22 - strlen(option->name)),
               option->argument ? option->argument : "", option->help);
    printf("  -h, --help%13s show this\n%s", "", command->details);
}

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
