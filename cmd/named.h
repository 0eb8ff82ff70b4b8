/* SPDX-License-Identifier: MIT */
/* What the commands on things with names (pools, regions) have in common. */
#ifndef USWAP_CMD_NAMED_H
#define USWAP_CMD_NAMED_H

#include "command.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Who may use it; the beginning of what options are read into. */
struct named_access {
    mode_t mode;
    gid_t group; /* -1: the user's */
};
#define NAMED_PRIVATE                                                                              \
    {                                                                                              \
        .mode = 0600, .group = (gid_t)-1                                                           \
    }

/* Of --mode and --group. */
int named_read_mode(const char *label, const char *value, void *access);
int named_read_group(const char *label, const char *value, void *access);

/* Options and operands in any order; exactly `count` operands. */
bool named_parse(const struct command *command, char **arguments, void *target, char **operands,
                 unsigned count, int *status);

/* USER/NAME becomes UID/NAME; anything else is copied. */
void named_resolve(const char *given, char *text, size_t size);

/* What there is: files in /dev/shm whose names are PREFIX UID - NAME. */
struct named_listing {
    const char *prefix;
    const char *heading;
    /* Print a row for the open file; nothing when it is none of ours. */
    void (*show)(int fd, const char *name, uid_t owner);
};

/* Print the heading, and a row for each that this user may open, reading and writing. */
int named_list(const struct command *command, char **arguments,
               const struct named_listing *listing);

/* Run what the first argument says: one of the commands of this group. */
int named_run(const struct command *command, char **arguments);

#endif
