/* SPDX-License-Identifier: MIT */
/* uswap completion: scripts for shells, made from the tables that parsing and help are made of. */
#include "base/msg.h"
#include "command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option options[] = {{0}};

static bool takes_file(const struct option *option)
{
    return option->argument &&
           (strncmp(option->argument, "FILE", 4) == 0 || strncmp(option->argument, "PATH", 4) == 0);
}

/* An operand that is a file. */
static bool takes_trace(const struct command *command)
{
    return strcmp(command->operands, "TRACE") == 0;
}

static bool takes_process(const struct command *command)
{
    return strstr(command->operands, "PID") != NULL;
}

static bool takes_pool(const struct command *command)
{
    return strstr(command->operands, "POOL") != NULL;
}

/* What a shell runs to list them; dollar: how it writes a $ inside of awk. */
static void list_processes(const struct command *command, const char *quote, const char *dollar)
{
    printf("uswap ps 2>/dev/null | awk %sNR > 1 { print %s1 }%s", quote, dollar, quote);
    if (takes_pool(command))
        printf("; uswap pool ls 2>/dev/null | awk %sNR > 1 { print %s1 }%s", quote, dollar, quote);
}

static bool takes_program(const struct command *command)
{
    return strstr(command->operands, "PROGRAM") != NULL;
}

/* ---- bash ---- */

static void bash_names(void)
{
    for (unsigned i = 0; command_table[i]; i++)
        printf("%s%s", i ? " " : "", command_table[i]->name);
}

/* The options of all commands whose value is, or is not, a file. */
static void bash_value_pattern(bool file)
{
    const char *before = "";

    for (unsigned i = 0; command_table[i]; i++) {
        for (const struct option *option = command_table[i]->options; option->name; option++) {
            if (!option->argument || takes_file(option) != file)
                continue;
            printf("%s%s", before, option->name);
            before = "|";
        }
    }
}

static void bash_command(const struct command *command)
{
    printf("    %s)\n        options=\"--help", command->name);
    for (const struct option *option = command->options; option->name; option++)
        printf(" %s", option->name);
    printf("\"\n");
    if (takes_program(command))
        printf("        operands=$(compgen -c -- \"$current\")\n");
    else if (takes_process(command)) {
        printf("        operands=$(");
        list_processes(command, "'", "$");
        printf(")\n");
    } else if (takes_trace(command))
        printf("        operands=$(compgen -f -- \"$current\")\n");
    else if (strcmp(command->operands, "[COMMAND]") == 0) {
        printf("        operands=\"");
        bash_names();
        printf("\"\n");
    } else if (strcmp(command->operands, "bash|zsh") == 0) {
        printf("        operands=\"bash zsh\"\n");
    }
    printf("        ;;\n");
}

static void print_bash(void)
{
    printf("# Made by: uswap completion bash\n"
           "_uswap() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local options= operands=\n"
           "    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W \"");
    bash_names();
    printf(" --help --version\" -- \"$current\"))\n"
           "        return\n"
           "    fi\n"
           "    case $before in\n    ");
    bash_value_pattern(true);
    printf(
        ")\n        COMPREPLY=($(compgen -f -- \"$current\"))\n        return\n        ;;\n    ");
    bash_value_pattern(false);
    printf(")\n        return\n        ;;\n    esac\n    case ${COMP_WORDS[1]} in\n");
    for (unsigned i = 0; command_table[i]; i++)
        bash_command(command_table[i]);
    printf("    esac\n"
           "    case $current in\n"
           "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\")) ;;\n"
           "    *) COMPREPLY=($(compgen -W \"$operands\" -- \"$current\")) ;;\n"
           "    esac\n"
           "}\n"
           "complete -o filenames -F _uswap uswap\n");
}

/* ---- zsh ---- */

/* Text inside single quotes and brackets, where a colon ends it. */
static void zsh_text(const char *text)
{
    for (; *text; text++) {
        if (strchr(":[]\\", *text))
            putchar('\\');
        printf(*text == '\'' ? "'\\''" : "%c", *text);
    }
}

static void zsh_option(const struct option *option)
{
    printf(" \\\n            '%s[", option->name);
    zsh_text(option->help);
    printf("]");
    if (option->argument) {
        printf(":");
        zsh_text(option->argument);
        printf(takes_file(option) ? ":_files" : ": ");
    }
    printf("'");
}

static void zsh_command(const struct command *command)
{
    printf("    %s)\n        _arguments -S '(- *)'{-h,--help}'[show the help]'", command->name);
    for (const struct option *option = command->options; option->name; option++)
        zsh_option(option);
    if (takes_program(command))
        printf(" \\\n            '*::program:_normal'");
    else if (takes_process(command)) {
        printf(" \\\n            '1:process:(${(f)\"$(");
        list_processes(command, "\"", "\\$");
        printf(")\"})'");
    } else if (takes_trace(command))
        printf(" \\\n            '1:trace:_files'");
    else if (strcmp(command->operands, "bash|zsh") == 0)
        printf(" \\\n            '1:shell:(bash zsh)'");
    printf("\n        ;;\n");
}

static void print_zsh(void)
{
    printf("#compdef uswap\n"
           "# Made by: uswap completion zsh\n"
           "_uswap() {\n"
           "    local -a commands=(\n");
    for (unsigned i = 0; command_table[i]; i++) {
        printf("        '%s:", command_table[i]->name);
        zsh_text(command_table[i]->summary);
        printf("'\n");
    }
    printf("    )\n"
           "    if (( CURRENT == 2 )); then\n"
           "        _describe command commands\n"
           "        return\n"
           "    fi\n"
           "    shift words\n"
           "    (( CURRENT-- ))\n"
           "    case $words[1] in\n");
    for (unsigned i = 0; command_table[i]; i++)
        zsh_command(command_table[i]);
    printf("    esac\n"
           "}\n"
           "_uswap \"$@\"\n");
}

static int run_completion(const struct command *command, char **arguments)
{
    int status;

    if (!command_parse(command, arguments, NULL, &arguments, &status))
        return status;
    if (arguments[0] && !arguments[1] && strcmp(arguments[0], "bash") == 0)
        print_bash();
    else if (arguments[0] && !arguments[1] && strcmp(arguments[0], "zsh") == 0)
        print_zsh();
    else {
        msg_error("completion: give bash or zsh");
        return EXIT_USAGE;
    }
    return EXIT_SUCCESS;
}

const struct command command_completion = {
    "completion", "bash|zsh", "Print a script that makes a shell complete commands and options",
    "",           options,    run_completion,
};
