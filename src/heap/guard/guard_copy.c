/* SPDX-License-Identifier: MIT */
/*
 * The same code goes over the launch twice: first without memory, to measure, then to copy. What
 * grows in between, because another thread is at it, is not copied.
 */
#include "heap/guard/guard_copy.h"

#include "arena/window.h"
#include "base/meta.h"

#include <errno.h>
#include <string.h>

struct copy {
    char *memory; /* NULL: measure */
    size_t size;
    size_t used;
};

/* glibc's, which is hidden behind posix_spawn_file_actions_t; the same from 2.1 on. */
struct action {
    int tag;
    union {
        struct {
            int fd;
            char *path;
        } open;
        struct {
            char *path;
        } chdir;
        char size[24];
    };
};
enum { ACTION_OPEN = 2, ACTION_CHDIR = 3 };

/* The copy of this thread that has not been released. */
static __thread struct copy kept;

static void *copy_bytes(struct copy *copy, const void *bytes, size_t size)
{
    size_t at = copy->used;
    size_t end = at + align_up(size, sizeof(long));

    if (copy->memory && end > copy->size)
        return (void *)(uintptr_t)bytes;
    copy->used = end;
    return copy->memory ? memcpy(copy->memory + at, bytes, size) : (void *)(uintptr_t)bytes;
}

static char *copy_string(struct copy *copy, const char *string)
{
    if (!window_contains(string))
        return (char *)(uintptr_t)string;
    return copy_bytes(copy, string, strlen(string) + 1);
}

static bool strings_in_window(char *const *strings)
{
    bool found = window_contains(strings);

    for (size_t i = 0; strings && !found && strings[i]; i++)
        found = window_contains(strings[i]);
    return found;
}

static char *const *copy_strings(struct copy *copy, char *const *strings)
{
    size_t count = 0;
    char **copies;

    if (!strings_in_window(strings))
        return strings;
    while (strings[count])
        count++;
    copies = copy_bytes(copy, strings, (count + 1) * sizeof(*strings));
    for (size_t i = 0; i < count; i++) {
        char *string = copy_string(copy, strings[i]);
        if (copies != strings)
            copies[i] = string;
    }
    return copies;
}

static const posix_spawn_file_actions_t *copy_actions(struct copy *copy,
                                                      const posix_spawn_file_actions_t *actions)
{
    posix_spawn_file_actions_t *copied;
    struct action *list;

    if (!actions || (!window_contains(actions) && !window_contains(actions->__actions)))
        return actions;
    copied = copy_bytes(copy, actions, sizeof(*actions));
    list = copy_bytes(copy, actions->__actions, (size_t)actions->__used * sizeof(*list));
    for (int i = 0; i < actions->__used; i++) {
        char **path = list[i].tag == ACTION_OPEN    ? &list[i].open.path
                      : list[i].tag == ACTION_CHDIR ? &list[i].chdir.path
                                                    : NULL;
        char *string = path ? copy_string(copy, *path) : NULL;
        if (path && copied != actions)
            *path = string;
    }
    if (copied != actions)
        copied->__actions = (void *)list;
    return copied;
}

static struct guard_launch copy_launch(struct copy *copy, const struct guard_launch *launch)
{
    struct guard_launch copied = {
        .path = copy_string(copy, launch->path),
        .argv = copy_strings(copy, launch->argv),
        .envp = copy_strings(copy, launch->envp),
        .actions = copy_actions(copy, launch->actions),
        .attributes = launch->attributes,
    };

    if (window_contains(launch->attributes))
        copied.attributes = copy_bytes(copy, launch->attributes, sizeof(*launch->attributes));
    return copied;
}

int guard_copy(struct guard_launch *launch)
{
    struct copy copy = {0};

    guard_copy_release();
    copy_launch(&copy, launch);
    if (copy.used == 0)
        return 0;
    copy = (struct copy){meta_reserve(copy.used), copy.used, 0};
    if (!copy.memory)
        return -ENOMEM;
    kept = copy;
    *launch = copy_launch(&copy, launch);
    return 0;
}

void guard_copy_release(void)
{
    struct copy old = kept;

    kept = (struct copy){0};
    if (old.memory)
        meta_release(old.memory, old.size);
}
