/* SPDX-License-Identifier: MIT */
/*
 * A scratch directory on a real disk for a test, the messages that it causes, and loop devices
 * where the test runs as root. Everything is removed at the end.
 */
#ifndef USWAP_TESTS_SCRATCH_H
#define USWAP_TESTS_SCRATCH_H

#include "base/msg.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
    char directory[64];
    char last_message[512];
    unsigned messages;
};

static inline void scratch_keep_message(void *context, enum uswap_level level, const char *line)
{
    struct scratch *scratch = context;

    snprintf(scratch->last_message, sizeof(scratch->last_message), "%s", line);
    scratch->messages++;
}

static inline int scratch_make(struct scratch *scratch)
{
    memset(scratch, 0, sizeof(*scratch));
    strcpy(scratch->directory, "/var/tmp/uswap-unit-XXXXXX");
    msg_set_handler(scratch_keep_message, scratch);
    return mkdtemp(scratch->directory) ? 0 : -1;
}

/* A path in the scratch directory; good until the next call. */
static inline const char *scratch_path(struct scratch *scratch, const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", scratch->directory, name);
    return path;
}

static inline bool scratch_said(const struct scratch *scratch, const char *part)
{
    return strstr(scratch->last_message, part) != NULL;
}

/* Run a shell command; its one line of output goes to line when that is not NULL. */
static inline int scratch_run(const char *command, char *line, int size)
{
    FILE *pipe = popen(command, "r");

    if (!pipe)
        return -1;
    if (line && fgets(line, size, pipe))
        line[strcspn(line, "\n")] = 0;
    return pclose(pipe);
}

static inline unsigned scratch_entries(const struct scratch *scratch)
{
    DIR *directory = opendir(scratch->directory);
    unsigned count = 0;

    for (struct dirent *entry; directory && (entry = readdir(directory));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (directory)
        closedir(directory);
    return count;
}

/* Also what a test that failed has left mounted. */
static inline int scratch_remove(struct scratch *scratch)
{
    char command[256];

    snprintf(command, sizeof(command),
             "cd %s && { umount -q mount ram/m ram; losetup -j image | cut -d: -f1 |"
             " xargs -r losetup -d; } 2>/dev/null; rm -rf %s",
             scratch->directory, scratch->directory);
    msg_set_handler(NULL, NULL);
    return scratch_run(command, NULL, 0);
}

/* A loop device over a new file of so many MiB; false: not possible here. */
static inline bool scratch_loop(struct scratch *scratch, unsigned mib, char device[64])
{
    char command[256];

    device[0] = 0;
    snprintf(command, sizeof(command),
             "truncate -s %uM %s/image && losetup --show -f %s/image 2>/dev/null", mib,
             scratch->directory, scratch->directory);
    return geteuid() == 0 && scratch_run(command, device, 64) == 0 && device[0];
}

static inline void scratch_unloop(const char *device)
{
    char command[128];

    snprintf(command, sizeof(command), "losetup -d %s", device);
    scratch_run(command, NULL, 0);
}

#endif
