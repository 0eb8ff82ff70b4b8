/* SPDX-License-Identifier: MIT */
/* A sub-command of the program and its options: tables, from which parsing and help are made. */
#ifndef USWAP_CMD_COMMAND_H
#define USWAP_CMD_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

/* Exit codes of our own; program codes are those of env(1). */
enum {
    EXIT_USAGE = 2,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
};

struct option {
    const char *name;     /* "--ram" */
    const char *argument; /* what help calls its value; NULL: it takes none */
    const char *help;     /* one line */
    /* Take the value; label is "--ram ", for messages. 0 or -errno, after a message. */
    int (*read)(const char *label, const char *value, void *target);
};

struct command {
    const char *name;
    const char *operands;         /* as help shows them, after the options */
    const char *summary;          /* one line */
    const char *details;          /* more for the command's own help; may be empty */
    const struct option *options; /* ends with a NULL name */
    int (*run)(const struct command *command, char **arguments);
};

/* All commands, in the order of the help; ends with NULL. */
extern const struct command *const command_table[];

extern const struct command command_bench;
extern const struct command command_completion;
extern const struct command command_ps;
extern const struct command command_report;
extern const struct command command_run;
extern const struct command command_pool;
extern const struct command command_region;
extern const struct command command_set;
extern const struct command command_stat;
extern const struct command command_top;

/* Those of a group, whose names begin with its name; they end with a NULL name. NULL: it is none.
 */
extern const struct command pool_commands[], region_commands[];
const struct command *command_parts(const struct command *command);

/* What is typed for it: "create" for "pool create". */
const char *command_word(const struct command *command);

/* Print the help of one command on stdout. */
void command_help(const struct command *command);

/*
 * Read the options among the arguments, which end with NULL: --name value, --name=value; -h and
 * --help print the help; -- ends them, and so does the first operand of a command that takes a
 * program. *operands: what is left, in the same array. Returns true to go on; otherwise *status is
 * the exit code.
 */
_Bool command_parse(const struct command *command, char **arguments, void *target, char ***operands,
                    int *status);

/* False after a message: there are operands, and the command takes none. */
_Bool command_no_operands(const struct command *command, char **operands);

/* The path of this program; that of what lies at a place seen from its directory. false: there is
 * none. Both have room for PATH_MAX. */
_Bool command_own_path(char *path);
_Bool command_find_beside(const char *place, char *path);

/* A number of seconds for an option, within bounds: 0 or -EINVAL, after a message. */
int command_read_seconds(const char *label, const char *value, const double bounds[2],
                         double *seconds);

/* USER/NAME or NAME as the engine takes it (JOIN_NAME_MAX bytes); false after a message. Whether a
 * pool can be joined: 0, or -errno after a message. */
_Bool pool_resolve(const char *given, char *text);
int pool_check(const char *text);

/* Change the size of a pool. A smaller one has been reached at the return: its members may give
 * back nothing for so many ms. Returns an exit code, not 0 after a message; the size is then as
 * before. */
int pool_set_ram(const char *given, uint64_t ram, unsigned ms);

/* The numbers of the members of a pool, at most so many: how many, or -errno after a message. */
int pool_list_members(const char *given, pid_t *pids, unsigned most);

#endif
