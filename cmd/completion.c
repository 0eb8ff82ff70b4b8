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

/* The name of a pool or region that is there. */
static bool takes_name(const struct command *command)
{
    return strncmp(command->operands, "NAME", 4) == 0 && strcmp(command_word(command), "create");
}

static bool is_pool(const struct option *option)
{
    return strcmp(option->name, "--pool") == 0;
}

/*
 * What a shell runs to list them; how it writes quotes and a $ inside of awk. Those of other users
 * are UID/NAME.
 */
struct style {
    const char *quote, *dollar;
};
static const struct style in_bash = {"'", "$"}, in_zsh = {"\"", "\\$"};

static void list_names(const char *group, const struct style *style)
{
    /* No colon: zsh would end the specification of an option there. */
    printf(
        "uswap %s ls 2>/dev/null | awk -v uid=$UID -v of=/ %sNR > 1 { if (%s2 != uid) %s1 = %s2 of "
        "%s1; print %s1 }%s",
        group, style->quote, style->dollar, style->dollar, style->dollar, style->dollar,
        style->dollar, style->quote);
}

static void list_processes(const struct command *command, const struct style *style)
{
    printf("uswap ps 2>/dev/null | awk %sNR > 1 { print %s1 }%s", style->quote, style->dollar,
           style->quote);
    if (takes_pool(command)) {
        printf("; ");
        list_names("pool", style);
    }
}

/* What there is of what the command takes. */
static void list_things(const struct command *command, const struct style *style)
{
    char group[16];

    snprintf(group, sizeof(group), "%.*s", (int)strcspn(command->name, " "), command->name);
    if (takes_name(command))
        list_names(group, style);
    else
        list_processes(command, style);
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

static void bash_values_of(const struct command *command, bool file, const char **before)
{
    for (const struct option *option = command->options; option->name; option++) {
        if (!option->argument || takes_file(option) != file || is_pool(option))
            continue;
        printf("%s%.*s\\ %s", *before, (int)strcspn(command->name, " "), command->name,
               option->name);
        *before = "|";
    }
    for (const struct command *one = command_parts(command); one && one->name; one++)
        bash_values_of(one, file, before);
}

/* The options of all commands whose value is, or is not, a file. */
static void bash_value_pattern(bool file)
{
    const char *before = "";

    for (unsigned i = 0; command_table[i]; i++)
        bash_values_of(command_table[i], file, &before);
}

static void bash_operands(const struct command *command)
{
    if (takes_program(command))
        printf("        compopt -o filenames 2>/dev/null\n"
               "        operands=$(compgen -c -- \"$current\")\n");
    else if (takes_process(command) || takes_name(command)) {
        printf("        operands=$(");
        list_things(command, &in_bash);
        printf(")\n");
    } else if (takes_trace(command))
        printf("        compopt -o filenames 2>/dev/null\n"
               "        operands=$(compgen -f -- \"$current\")\n");
    else if (strcmp(command->operands, "[COMMAND...]") == 0) {
        printf("        operands=\"");
        bash_names();
        printf("\"\n");
    } else if (strcmp(command->operands, "bash|zsh") == 0) {
        printf("        operands=\"bash zsh\"\n");
    }
}

static void bash_command(const struct command *command)
{
    printf("    %s)\n        options=\"--help", command_word(command));
    for (const struct option *option = command->options; option->name; option++)
        printf(" %s", option->name);
    printf("\"\n");
    if (!command_parts(command))
        bash_operands(command);
    else {
        printf("        [ \"$COMP_CWORD\" -ne 2 ] || operands=\"");
        for (const struct command *one = command_parts(command); one->name; one++)
            printf("%s ", command_word(one));
        printf("\"\n        [ \"$COMP_CWORD\" -eq 2 ] || case ${COMP_WORDS[2]} in\n");
        for (const struct command *one = command_parts(command); one->name; one++)
            bash_command(one);
        printf("        esac\n");
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
           "    case \"${COMP_WORDS[1]} $before\" in\n    ");
    bash_value_pattern(true);
    printf(")\n        compopt -o filenames 2>/dev/null\n        COMPREPLY=($(compgen -f -- "
           "\"$current\"))\n        return\n        ;;\n    ");
    bash_value_pattern(false);
    printf(")\n        return\n        ;;\n    *\\ --pool)\n        COMPREPLY=($(compgen -W \"$(");
    list_names("pool", &in_bash);
    printf(")\" -- \"$current\"))\n        return\n        ;;\n    esac\n    case ${COMP_WORDS[1]} "
           "in\n");
    for (unsigned i = 0; command_table[i]; i++)
        bash_command(command_table[i]);
    printf("    esac\n"
           "    case $current in\n"
           "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\")) ;;\n"
           "    *) COMPREPLY=($(compgen -W \"$operands\" -- \"$current\")) ;;\n"
           "    esac\n"
           "}\n"
           "complete -F _uswap uswap\n");
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
        printf(takes_file(option) ? ":_files" : is_pool(option) ? ":(${(f)\"$(" : ": ");
        if (is_pool(option)) {
            list_names("pool", &in_zsh);
            printf(")\"})");
        }
    }
    printf("'");
}

static void zsh_operands(const struct command *command)
{
    if (takes_program(command))
        printf(" \\\n            '*::program:_normal'");
    else if (takes_process(command) || takes_name(command)) {
        printf(" \\\n            '1:%s:(${(f)\"$(", takes_name(command) ? "name" : "process");
        list_things(command, &in_zsh);
        printf(")\"})'");
    } else if (takes_trace(command))
        printf(" \\\n            '1:trace:_files'");
    else if (strcmp(command->operands, "bash|zsh") == 0)
        printf(" \\\n            '1:shell:(bash zsh)'");
    else if (strcmp(command->operands, "[COMMAND...]") == 0)
        printf(" \\\n            '1:command:(${commands%%%%:*})'");
    printf("\n");
}

static void zsh_names_end(const char *more)
{
    printf("    )\n"
           "    if (( CURRENT == 2 )); then\n"
           "        _describe command %s\n"
           "        return\n"
           "    fi\n"
           "    shift words\n"
           "    (( CURRENT-- ))\n"
           "    case $words[1] in\n",
           more);
}

static void zsh_name(const struct command *command)
{
    printf("        '%s:", command_word(command));
    zsh_text(command->summary);
    printf("'\n");
}

static void zsh_command(const struct command *command)
{
    printf("    %s)\n", command_word(command));
    if (command_parts(command)) {
        printf("    local -a parts=(\n");
        for (const struct command *one = command_parts(command); one->name; one++)
            zsh_name(one);
        zsh_names_end("parts");
        for (const struct command *one = command_parts(command); one->name; one++)
            zsh_command(one);
        printf("    esac\n");
    } else {
        printf("        _arguments -S '(- *)'{-h,--help}'[show the help]'");
        for (const struct option *option = command->options; option->name; option++)
            zsh_option(option);
        zsh_operands(command);
    }
    printf("        ;;\n");
}

static void print_zsh(void)
{
    printf("#compdef uswap\n"
           "# Made by: uswap completion zsh\n"
           "_uswap() {\n"
           "    local -a commands=(\n");
    for (unsigned i = 0; command_table[i]; i++)
        zsh_name(command_table[i]);
    zsh_names_end("commands");
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
