/* SPDX-License-Identifier: MIT */
#include "named.h"

#include "base/fmt.h"
#include "base/msg.h"
#include "base/owned.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int named_read_mode(const char *label, const char *value, void *access)
{
    struct named_access *target = access;
    char *end;
    unsigned long mode = strtoul(value, &end, 8);

    if (!*value || *end || mode > 0777) {
        msg_error("%s%s: not a file mode; give an octal number such as 0660", label, value);
        return -EINVAL;
    }
    target->mode = (mode_t)mode;
    return 0;
}

int named_read_group(const char *label, const char *value, void *access)
{
    struct named_access *target = access;
    struct group *group = getgrnam(value);

    if (!group) {
        msg_error("%s%s: there is no such group", label, value);
        return -EINVAL;
    }
    target->group = group->gr_gid;
    return 0;
}

bool named_parse(const struct command *command, char **arguments, void *target, char **operands,
                 unsigned count, int *status)
{
    unsigned found = 0;

    do {
        if (!command_parse(command, arguments, target, &arguments, status))
            return false;
        if (*arguments && found < count)
            operands[found++] = *arguments++;
        else
            break;
    } while (*arguments);
    *status = EXIT_USAGE;
    if (found == count && !*arguments)
        return true;
    msg_error("%s: give %s; see uswap %s --help", command->name, command->operands, command->name);
    return false;
}

void named_resolve(const char *given, char *text, size_t size)
{
    const char *slash = strchr(given, '/');
    char user[64];
    struct passwd *entry = NULL;

    fmt_write(text, size, "%s", given);
    if (slash && (size_t)(slash - given) < sizeof(user)) {
        memcpy(user, given, (size_t)(slash - given));
        user[slash - given] = '\0';
        entry = getpwnam(user);
    }
    if (entry)
        fmt_write(text, size, "%u%s", entry->pw_uid, slash);
}

static void list_file(const char *entry, const struct named_listing *listing)
{
    const char *name = strchr(entry + strlen(listing->prefix), '-');
    char path[sizeof(OWNED_FOLDER) + NAME_MAX];
    struct stat status;
    int fd;

    fmt_write(path, sizeof(path), OWNED_FOLDER "%s", entry);
    fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (name && fstat(fd, &status) == 0)
        listing->show(fd, name + 1, status.st_uid);
    close(fd);
}

int named_list(const struct command *command, char **arguments, const struct named_listing *listing)
{
    struct dirent *entry;
    DIR *folder;
    int status;

    if (!named_parse(command, arguments, NULL, NULL, 0, &status))
        return status;
    folder = opendir(OWNED_FOLDER);
    if (!folder) {
        msg_error("%s: %s cannot be read", command->name, OWNED_FOLDER);
        return EXIT_FAILURE;
    }
    puts(listing->heading);
    while ((entry = readdir(folder)))
        if (strncmp(entry->d_name, listing->prefix, strlen(listing->prefix)) == 0)
            list_file(entry->d_name, listing);
    closedir(folder);
    return EXIT_SUCCESS;
}

int named_run(const struct command *command, char **arguments)
{
    const char *name = *arguments ? *arguments : "";

    for (const struct command *one = command_parts(command); one->name; one++)
        if (strcmp(name, command_word(one)) == 0)
            return one->run(one, arguments + 1);
    if (!*name) {
        msg_error("%s: what is to be done? see uswap %s --help", command->name, command->name);
        return EXIT_USAGE;
    }
    if (strcmp(name, "-h") && strcmp(name, "--help")) {
        msg_error("%s %s: no such command; see uswap %s --help", command->name, name,
                  command->name);
        return EXIT_USAGE;
    }
    command_help(command);
    return EXIT_SUCCESS;
}
