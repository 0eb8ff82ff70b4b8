/* SPDX-License-Identifier: MIT */
/*
 * uswap pool: make, show, resize and remove the budgets that unrelated processes share. The command
 * is never a member: it reads the pool file, and asks members to give way.
 */
#include "arena/config.h"
#include "arena/join.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "base/owned.h"
#include "base/size.h"
#include "named.h"
#include "object/asked.h"
#include "object/sharing.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long members may give back nothing of what a smaller pool has no room for. */
#define RESIZE_MS 30000

/* ---- options ---- */

struct pool_options {
    struct named_access access;
    uint64_t ram;
    uint64_t share;
};

static int read_ram(const char *label, const char *value, void *target)
{
    struct pool_options *pool = target;
    struct uswap_options options;
    int error = config_read_ram(label, value, &options);

    pool->ram = options.ram;
    return error;
}

static int read_share(const char *label, const char *value, void *target)
{
    struct pool_options *pool = target;

    return config_read_share(label, value, &pool->share);
}

static const struct option create_options[] = {
    {"--ram", "SIZE", "memory that all members together may have resident", read_ram},
    {"--min-per-process", "SIZE", "what each member can always use; default: 1/64, at most 8M",
     read_share},
    {"--mode", "MODE", "who may join, as a file mode; default: 0600", named_read_mode},
    {"--group", "GROUP", "the group that the mode is about", named_read_group},
    {0},
};
static const struct option no_options[] = {{0}};

/* ---- names ---- */

bool pool_resolve(const char *given, char *text)
{
    named_resolve(given, text, JOIN_NAME_MAX);
    if (*text != '@' && join_name_is_good(text))
        return true;
    msg_error("%s: not the name of a pool; letters, digits, dots, underscores and hyphens, at most "
              "40 of them, can be in one",
              given);
    return false;
}

struct opened {
    char text[JOIN_NAME_MAX];
    char path[JOIN_TEXT_MAX];
    struct pool_file *file;
    int fd;
};

static int map_opened(struct opened *pool)
{
    const char *reason;
    int error = pool_file_map(pool->fd, &pool->file, &reason);

    if (!error)
        return 0;
    msg_error("pool %s: %s (%s)", pool->text, reason, pool->path);
    close(pool->fd);
    return error;
}

static int open_with(const char *given, struct opened *pool,
                     int (*open_file)(const char *text, char *path))
{
    if (!pool_resolve(given, pool->text))
        return -EINVAL;
    pool->fd = open_file(pool->text, pool->path);
    if (pool->fd < 0)
        return pool->fd;
    return map_opened(pool);
}

static int open_pool(const char *given, struct opened *pool)
{
    return open_with(given, pool, join_open);
}

static void close_pool(struct opened *pool)
{
    pool_file_unmap(pool->file);
    close(pool->fd);
}

int pool_check(const char *text)
{
    struct opened pool;
    int error = open_pool(text, &pool);

    if (!error)
        close_pool(&pool);
    return error;
}

/* ---- create ---- */

static int fill_file(int fd, const struct pool_options *options)
{
    uint64_t share = options->share ? options->share : pool_file_default_share(options->ram);
    int error = pool_file_make(fd, options->ram, share);

    /* All of it now: a file system that is full later must not stop a member. */
    if (!error)
        error = -posix_fallocate(fd, 0, sizeof(struct pool_file));
    if (!error && fchown(fd, (uid_t)-1, options->access.group))
        error = -errno;
    if (!error && fchmod(fd, options->access.mode))
        error = -errno;
    return error;
}

static int create_file(const char *text, const struct pool_options *options)
{
    char path[JOIN_TEXT_MAX], name[8];
    int fd = open(OWNED_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int error = fd < 0 ? -errno : fill_file(fd, options);

    fmt_write(path, sizeof(path), OWNED_FOLDER JOIN_PREFIX "%u-%s", geteuid(), text);
    if (!error)
        error = fd_give_name(fd, path); /* it is whole */
    if (fd >= 0)
        close(fd);
    if (error == -EEXIST)
        msg_error("pool %s: it is there already", text);
    else if (error)
        msg_error("pool %s: %s cannot be made (%s)", text, path, fmt_errno(error, name));
    return error;
}

static int run_create(const struct command *command, char **arguments)
{
    struct pool_options options = {.access = NAMED_PRIVATE};
    char text[JOIN_NAME_MAX];
    char *name;
    int status;

    if (!named_parse(command, arguments, &options, &name, 1, &status))
        return status;
    if (!options.ram) {
        msg_error("pool create: the size is missing; give --ram SIZE");
        return EXIT_USAGE;
    }
    if (options.share > options.ram / 2) {
        msg_error("pool create: --min-per-process is more than half of --ram");
        return EXIT_USAGE;
    }
    if (strchr(name, '/')) {
        msg_error("pool create %s: it will belong to you; give a name without a slash", name);
        return EXIT_USAGE;
    }
    if (!pool_resolve(name, text))
        return EXIT_USAGE;
    return create_file(text, &options) ? EXIT_USAGE : EXIT_SUCCESS;
}

/* ---- ls and show ---- */

static void print_row(const struct opened *pool, const char *name, uid_t owner)
{
    char size[16], used[16];
    uint32_t count = atomic_load(&pool->file->count);
    unsigned members = 0;

    for (unsigned i = 0; i < count; i++)
        members += (atomic_load(&pool->file->members[i].state) & POOL_PLACE_MASK) != POOL_FREE;
    printf("%-24s %8u %8s %8s %8u\n", name, owner, size_format(pool_file_ram(pool->file), size),
           size_format(ledger_total(&pool->file->pages) << PAGE_SHIFT, used), members);
}

static void list_pool(int fd, const char *name, uid_t owner)
{
    struct opened pool = {.fd = fd};
    const char *reason;

    if (pool_file_map(fd, &pool.file, &reason))
        return;
    sharing_reap_file(pool.file, fd);
    print_row(&pool, name, owner);
    pool_file_unmap(pool.file);
}

static int run_ls(const struct command *command, char **arguments)
{
    static const struct named_listing listing = {
        JOIN_PREFIX, "NAME                        OWNER     SIZE     USED  MEMBERS", list_pool};

    return named_list(command, arguments, &listing);
}

static void print_member(const struct pool_file *file, unsigned number)
{
    const struct pool_member *member = &file->members[number];
    uint32_t age = asked_age(file, member);
    char share[16], held[16], name[sizeof(member->name)];
    bool lives = (atomic_load(&member->state) & POOL_PLACE_MASK) != POOL_FREE;

    if (!lives)
        return;
    memcpy(name, member->name, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    printf("%8u %-16s %8s %8s %10lu%s\n", atomic_load(&member->pid), name,
           size_format((uint64_t)atomic_load(&member->share) << PAGE_SHIFT, share),
           size_format(ledger_held(&file->pages, number) << PAGE_SHIFT, held), (unsigned long)age,
           atomic_load(&member->tail_is_hot) ? " hot" : "");
}

static void print_pool(const struct pool_file *file)
{
    char size[16], used[16], promised[16], share[16];

    printf("size %s, used %s, promised %s, each member's share at most %s\n",
           size_format(pool_file_ram(file), size),
           size_format(ledger_total(&file->pages) << PAGE_SHIFT, used),
           size_format(ledger_total(&file->promises) << PAGE_SHIFT, promised),
           size_format((uint64_t)atomic_load(&file->share) << PAGE_SHIFT, share));
    printf("%8s %-16s %8s %8s %10s\n", "PID", "PROGRAM", "SHARE", "HOLDS", "AGE");
    for (unsigned i = 0; i < atomic_load(&file->count); i++)
        print_member(file, i);
}

static int show_pool(const struct opened *pool)
{
    sharing_reap_file(pool->file, pool->fd);
    print_pool(pool->file);
    return EXIT_SUCCESS;
}

int pool_list_members(const char *given, pid_t *pids, unsigned most)
{
    struct opened pool;
    int error = open_pool(given, &pool);
    int count = 0;

    if (error)
        return error;
    sharing_reap_file(pool.file, pool.fd);
    for (unsigned i = 0; i < atomic_load(&pool.file->count) && (unsigned)count < most; i++) {
        const struct pool_member *member = &pool.file->members[i];
        if ((atomic_load(&member->state) & POOL_PLACE_MASK) != POOL_FREE)
            pids[count++] = (pid_t)atomic_load(&member->pid);
    }
    close_pool(&pool);
    return count;
}

static int run_show(const struct command *command, char **arguments)
{
    struct opened pool;
    char *name;
    int status;

    if (!named_parse(command, arguments, NULL, &name, 1, &status))
        return status;
    if (open_pool(name, &pool))
        return EXIT_USAGE;
    status = show_pool(&pool);
    close_pool(&pool);
    return status;
}

/* ---- resize ---- */

struct smaller {
    const struct pool_file *file;
    uint64_t ram;
};

static uint64_t has_to_leave(const void *target)
{
    const struct smaller *smaller = target;
    uint64_t held = ledger_total(&smaller->file->pages) << PAGE_SHIFT;

    return held > smaller->ram ? held - smaller->ram : 0;
}

static int resize(const struct opened *pool, uint64_t ram, unsigned ms)
{
    const struct smaller smaller = {pool->file, ram};
    char what[JOIN_TEXT_MAX + 32], size[16];
    int error;

    fmt_write(what, sizeof(what), "pool %s: members give memory back", pool->text);
    progress_begin(what, has_to_leave, &smaller);
    error = sharing_resize(pool->file, pool->fd, ram, ms);
    progress_end();
    if (!error)
        return EXIT_SUCCESS;
    msg_error("pool %s: its members cannot do with so little; it stays at %s", pool->text,
              size_format(pool_file_ram(pool->file), size));
    return EXIT_FAILURE;
}

int pool_set_ram(const char *given, uint64_t ram, unsigned ms)
{
    struct opened pool;
    int status;

    if (open_pool(given, &pool))
        return EXIT_USAGE;
    status = resize(&pool, ram, ms);
    close_pool(&pool);
    return status;
}

static int run_resize(const struct command *command, char **arguments)
{
    struct uswap_options options = {.ram = 0};
    char *operands[2];
    int status;

    if (!named_parse(command, arguments, NULL, operands, 2, &status))
        return status;
    if (config_read_ram("pool resize ", operands[1], &options))
        return EXIT_USAGE;
    return pool_set_ram(operands[0], options.ram, RESIZE_MS);
}

/* ---- rm ---- */

/* In its door: nobody joins meanwhile, and the name is that of this pool. */
static int remove_pool(const struct opened *pool)
{
    char name[8];

    sharing_reap_file(pool->file, pool->fd);
    if (ledger_total(&pool->file->pages)) {
        msg_error("pool %s: it still has members; see uswap pool show %s", pool->text, pool->text);
        return EXIT_FAILURE;
    }
    if (unlink(pool->path) == 0)
        return EXIT_SUCCESS;
    msg_error("pool %s: %s cannot be removed (%s)", pool->text, pool->path, fmt_errno(errno, name));
    return EXIT_FAILURE;
}

static int run_rm(const struct command *command, char **arguments)
{
    struct opened pool;
    char *name;
    int status;

    if (!named_parse(command, arguments, NULL, &name, 1, &status))
        return status;
    if (open_with(name, &pool, join_enter))
        return EXIT_USAGE;
    status = remove_pool(&pool);
    close_pool(&pool);
    return status;
}

/* ---- the command ---- */

const struct command pool_commands[] = {
    {"pool create", "NAME", "Make a budget that processes can share", "", create_options,
     run_create},
    {"pool ls", "", "List the pools that you may join", "", no_options, run_ls},
    {"pool show", "NAME", "Show the members of a pool: shares, memory, ages",
     "\nAGE is that of what leaves a member next: how many steps of 64 objects have come into "
     "memory in the pool since it was last known to be used. Hot objects count as 16 times "
     "younger.\n",
     no_options, run_show},
    {"pool resize", "NAME SIZE", "Change the size of a pool, also while it is used", "", no_options,
     run_resize},
    {"pool rm", "NAME", "Remove a pool that has no members", "", no_options, run_rm},
    {0},
};

const struct command command_pool = {
    "pool", "COMMAND",  "Make and manage budgets that unrelated processes share",
    "",     no_options, named_run,
};
