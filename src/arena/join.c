/* SPDX-License-Identifier: MIT */
/*
 * A descriptor that is handed down is lost when a program that does not run under uswap, or does
 * not ask libc, closes all it does not know (the guard hides ours from the others). Then the
 * process looks into its parent and the founder of the tree, through /proc; and when neither has
 * it, it founds a tree of its own with a budget as large. What is found is told from a descriptor
 * that by chance has the same number by the id of the pool.
 *
 * The text in the environment is changed in place, where descriptor or pool are others now: it has
 * a fixed width.
 */
#include "arena/join.h"

#include "arena/lend.h"
#include "base/door.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "base/owned.h"
#include "base/sys.h"
#include "object/budget.h"
#include "object/sharing.h"
#include "observe/status.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Digits of the parts of a tree's text. */
#define FD_DIGITS  5
#define ID_DIGITS  16
#define PID_DIGITS 10
#define TREE_TEXT  (1 + FD_DIGITS + 1 + ID_DIGITS + 1 + PID_DIGITS)

struct tree {
    uint64_t fd, id, founder;
};

/* ---- Texts ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Read so many digits; false: it has others. */
static bool read_digits(const char **text, unsigned count, unsigned base, uint64_t *value)
{
    *value = 0;
    for (; count; count--, ++*text) {
        unsigned digit = (unsigned)digit_of(**text);
        if (digit >= base)
            return false;
        *value = *value * base + digit;
    }
    return true;
}

static void write_digits(char *text, unsigned count, unsigned base, uint64_t value)
{
    while (count--) {
        text[count] = "0123456789abcdef"[value % base];
        value /= base;
    }
}

static bool read_tree(const char *text, struct tree *tree)
{
    return strlen(text) == TREE_TEXT && *text++ == '@' &&
           read_digits(&text, FD_DIGITS, 10, &tree->fd) && *text++ == ':' &&
           read_digits(&text, ID_DIGITS, 16, &tree->id) && *text++ == ':' &&
           read_digits(&text, PID_DIGITS, 10, &tree->founder);
}

static void write_tree(char *text, const struct tree *tree)
{
    memset(text, ':', TREE_TEXT);
    text[0] = '@';
    text[TREE_TEXT] = '\0';
    write_digits(text + 1, FD_DIGITS, 10, tree->fd);
    write_digits(text + 1 + FD_DIGITS + 1, ID_DIGITS, 16, tree->id);
    write_digits(text + TREE_TEXT - PID_DIGITS, PID_DIGITS, 10, tree->founder);
}

bool join_name_is_good(const char *text)
{
    struct tree tree;
    uint64_t user;

    return *text == '@' ? read_tree(text, &tree) : owned_name_is_good(owned_split(text, &user));
}

/* ---- Named pools ---- */

static int refuse(const char *text, int error, const char *reason)
{
    char name[8];

    msg_error("pool %s: %s (%s)", text, reason, fmt_errno(error, name));
    return error;
}

static const char *why_not_opened(int error)
{
    if (error == -ENOENT)
        return "there is none; make it with uswap pool create";
    if (error == -EACCES)
        return "its owner has not given access to you";
    return "it cannot be opened";
}

/* Whoever made the file is who may say how much memory we get: it must be the user that was named.
 */
static int open_named(const char *text, char *path, bool enter)
{
    uint64_t user;
    const char *name = owned_split(text, &user);
    long fd;
    int error;

    fmt_write(path, JOIN_TEXT_MAX, OWNED_FOLDER JOIN_PREFIX "%lu-%s", user, name);
    fd = enter ? door_open(path, O_RDWR, "pool", text)
               : sys_call(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd == -ETIMEDOUT) /* has been said */
        return (int)fd;
    if (fd < 0)
        return refuse(text, (int)fd, why_not_opened((int)fd));
    error = owned_check((int)fd, user);
    if (!error)
        return (int)fd;
    sys_call(SYS_close, fd);
    return refuse(text, error, "its file belongs to another user");
}

int join_open(const char *text, char *path)
{
    return open_named(text, path, false);
}

int join_enter(const char *text, char *path)
{
    return open_named(text, path, true);
}

/* Become a member of what the descriptor is; it belongs to this from here on. name: what others
 * call it; text: what messages do. */
static int join_file(int fd, const char *name, const char *text, struct pool_file *file)
{
    int high = fd_move_high(fd);
    int error = sharing_join(high, file);

    if (!error) {
        door_leave(high);
        budget_use_pool();
        status_set_pool(file->id, name);
        return lend_init();
    }
    pool_file_unmap(file);
    fd_close(high);
    return refuse(text, error, "it has all the members that it can have");
}

static int join_named(const char *text)
{
    struct pool_file *file;
    const char *reason;
    char path[JOIN_TEXT_MAX];
    int fd = join_enter(text, path), error;

    if (fd < 0)
        return fd;
    error = pool_file_map(fd, &file, &reason);
    if (!error)
        return join_file(fd, text, text, file);
    sys_call(SYS_close, fd);
    return refuse(text, error, reason);
}

/* ---- Trees ---- */

/* To a high number that stays open over exec. */
static long keep_over_exec(long fd)
{
    int high = fd_move_high((int)fd);

    sys_call(SYS_fcntl, high, F_SETFD, 0);
    return high;
}

static int found(struct tree *tree, uint64_t ram, uint64_t share)
{
    struct pool_file *file;
    const char *reason;
    long fd = fd_memory_file("uswap-pool", MFD_ALLOW_SEALING);
    int error;

    if (fd < 0)
        return (int)fd;
    error = pool_file_make((int)fd, ram, share);
    if (!error)
        error = pool_file_map((int)fd, &file, &reason);
    if (error) {
        sys_call(SYS_close, fd);
        return error;
    }
    sys_call(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    *tree = (struct tree){0, file->id, (uint64_t)sys_call(SYS_getpid)};
    pool_file_unmap(file);
    tree->fd = (uint64_t)keep_over_exec(fd);
    return 0;
}

int join_found_tree(uint64_t ram, uint64_t share, char *text)
{
    struct tree tree;
    int error = found(&tree, ram, share);

    if (!error)
        write_tree(text, &tree);
    return error;
}

/* Another description of the descriptor that a process has, if it is of this pool; *file is mapped
 * then. -1: it is not. */
static int open_of(long pid, const struct tree *tree, struct pool_file **file)
{
    const char *reason;
    char path[48];
    long fd;

    fmt_write(path, sizeof(path), "/proc/%ld/fd/%lu", pid, tree->fd);
    fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (pool_file_map((int)fd, file, &reason) == 0) {
        if ((*file)->id == tree->id)
            return (int)fd;
        pool_file_unmap(*file);
    }
    sys_call(SYS_close, fd);
    return -1;
}

/* Change what is handed down. */
static void rewrite_environment(const struct tree *tree)
{
    static const char variable[] = "USWAP_POOL=@";
    char text[TREE_TEXT + 1];

    write_tree(text, tree);
    for (char **entry = environ; entry && *entry; entry++)
        if (strncmp(*entry, variable, sizeof(variable) - 1) == 0 &&
            strlen(*entry) == sizeof(variable) - 2 + TREE_TEXT)
            memcpy(*entry + sizeof(variable) - 2, text, TREE_TEXT);
}

/* What was handed down has got lost: hand down another description of the same file. */
static void hand_down(int fd, struct tree *tree)
{
    char path[48];
    long copy;

    fmt_write(path, sizeof(path), "/proc/self/fd/%d", fd);
    copy = sys_call(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (copy < 0)
        return;
    tree->fd = (uint64_t)keep_over_exec(copy);
    rewrite_environment(tree);
}

/* Through our own descriptor, or somebody else's. */
static int find_tree(struct tree *tree, struct pool_file **file)
{
    const long others[] = {sys_call(SYS_getppid), (long)tree->founder};
    int fd = open_of(sys_call(SYS_getpid), tree, file);

    if (fd >= 0) {
        fd_keep((int)tree->fd);
        return fd;
    }
    for (size_t i = 0; fd < 0 && i < array_size(others); i++)
        fd = open_of(others[i], tree, file);
    if (fd >= 0)
        hand_down(fd, tree);
    return fd;
}

static int find_or_found(struct tree *tree, uint64_t ram, struct pool_file **file)
{
    int fd = find_tree(tree, file);

    if (fd >= 0 || found(tree, ram, pool_file_default_share(ram)))
        return fd;
    rewrite_environment(tree);
    return open_of(sys_call(SYS_getpid), tree, file);
}

static int join_tree(const char *text, uint64_t ram)
{
    struct pool_file *file;
    char founder[24];
    struct tree tree;
    int fd;

    if (!read_tree(text, &tree))
        return refuse(text, -EINVAL, "not a pool");
    fd = find_or_found(&tree, ram, &file);
    fmt_write(founder, sizeof(founder), "%lu", tree.founder);
    if (fd >= 0)
        return join_file(fd, founder, "of this tree of processes", file);
    msg_warning("the pool of this tree of processes cannot be joined: this one has a budget of its "
                "own");
    return 0;
}

int join_pool(const char *text, uint64_t *ram)
{
    int error = 0;

    if (!text)
        return 0;
    error = *text == '@' ? join_tree(text, *ram) : join_named(text);
    if (!error)
        *ram = budget_limit();
    return error;
}

void join_leave(void)
{
    if (budget_is_shared())
        sharing_leave();
}

bool join_is_inherited(const char *pool)
{
    struct tree tree;

    return pool && read_tree(pool, &tree) && (long)tree.founder != sys_call(SYS_getpid);
}
