/* SPDX-License-Identifier: MIT */
/* The uswap program: a table of sub-commands. */
#include "base/base.h"
#include "base/msg.h"
#include "command.h"
#include "uswap/uswap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#define VERSION                                                                                    \
    TEXT(USWAP_VERSION_MAJOR) "." TEXT(USWAP_VERSION_MINOR) "." TEXT(USWAP_VERSION_PATCH)

static const struct option no_options[] = {{0}};

static int run_help(const struct command *command, char **arguments);

static int run_version(const struct command *command, char **arguments)
{
    int status;

    if (!command_parse(command, arguments, NULL, &arguments, &status))
        return status;
    puts("uswap " VERSION);
    return EXIT_SUCCESS;
}

static const struct command command_help_row = {
    "help", "[COMMAND...]", "Show the commands, or what one of them does", "", no_options, run_help,
};
static const struct command command_version = {
    "version", "", "Show the version", "", no_options, run_version,
};
/* clang-format off */
const struct command *const command_table[] = {
    &command_run,
    &command_ps,
    &command_stat,
    &command_top,
    &command_set,
    &command_report,
    &command_pool,
    &command_region,
    &command_bench,
    &command_completion,
    &command_help_row,
    &command_version,
    NULL,
};
/* clang-format on */

/* What people type instead of a command. */
static const char *const aliases[][2] = {
    {"-h", "help"},
    {"--help", "help"},
    {"--version", "version"},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < array_size(aliases); i++)
        if (strcmp(name, aliases[i][0]) == 0)
            name = aliases[i][1];
    for (size_t i = 0; command_table[i]; i++)
        if (strcmp(name, command_table[i]->name) == 0)
            return command_table[i];
    msg_error("%s: no such command; see uswap help", name);
    return NULL;
}

static const struct command *find_part(const struct command *group, const char *word)
{
    for (const struct command *one = command_parts(group); one && one->name; one++)
        if (strcmp(word, command_word(one)) == 0)
            return one;
    msg_error("%s %s: no such command; see uswap help %s", group->name, word, group->name);
    return NULL;
}

static void print_commands(FILE *stream)
{
    fprintf(stream, "usage: uswap COMMAND [ARGUMENT...]\n\n"
                    "Gives a program more memory than its RAM budget.\n\n");
    for (size_t i = 0; command_table[i]; i++)
        fprintf(stream, "  %-10s %s\n", command_table[i]->name, command_table[i]->summary);
    fprintf(stream, "\nuswap COMMAND --help tells more.\n");
}

static int run_help(const struct command *command, char **arguments)
{
    const struct command *about;
    int status;

    if (!command_parse(command, arguments, NULL, &arguments, &status))
        return status;
    if (!*arguments) {
        print_commands(stdout);
        return EXIT_SUCCESS;
    }
    about = find_command(*arguments);
    if (about && arguments[1])
        about = find_part(about, arguments[1]);
    if (!about)
        return EXIT_USAGE;
    command_help(about);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        print_commands(stderr);
        return EXIT_USAGE;
    }
    command = find_command(argv[1]);
    return command ? command->run(command, argv + 2) : EXIT_USAGE;
}
