/* SPDX-License-Identifier: MIT */
#include "base/owned.h"

#include "base/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define DIGITS_MAX 10

const char *owned_split(const char *text, uint64_t *user)
{
    const char *slash = strchr(text, '/');
    uint64_t value = 0;

    *user = (uint64_t)sys_call(SYS_geteuid);
    if (!slash)
        return text;
    if (slash == text || slash - text > DIGITS_MAX)
        return "";
    for (; text < slash; text++) {
        if (*text < '0' || *text > '9')
            return "";
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *user = value;
    return slash + 1;
}

bool owned_name_is_good(const char *name)
{
    size_t length = strlen(name);

    return length && length <= OWNED_NAME_MAX && *name != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               length;
}

int owned_check(int fd, uint64_t user)
{
    struct stat status;
    int error = (int)sys_call(SYS_fstat, fd, &status);

    return error || status.st_uid == user ? error : -EPERM;
}
