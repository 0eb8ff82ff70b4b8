/* SPDX-License-Identifier: MIT */
/* uswap region: make, show, resize and remove shared regions. */
#include "base/fmt.h"
#include "base/msg.h"
#include "base/size.h"
#include "named.h"
#include "progress.h"
#include "shared/attach.h"
#include "shared/clock.h"
#include "shared/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long members may take to send away what a smaller budget has no room for. */
#define RESIZE_LOOKS   3000
#define RESIZE_LOOK_US 10000

/* ---- options ---- */

struct region_options {
    struct named_access access;
    struct uswap_shared_options region;
};

static int read_size(const char *label, const char *value, uint64_t *size)
{
    if (size_parse(value, 0, size) == 0 && *size)
        return 0;
    msg_error("%s%s: not a size; give a number with K, M, G or T", label, value);
    return -EINVAL;
}

static int read_region_size(const char *label, const char *value, void *target)
{
    return read_size(label, value, &((struct region_options *)target)->region.size);
}

static int read_object_size(const char *label, const char *value, void *target)
{
    return read_size(label, value, &((struct region_options *)target)->region.object_size);
}

static int read_ram(const char *label, const char *value, void *target)
{
    return read_size(label, value, &((struct region_options *)target)->region.ram);
}

static int read_swap(const char *label, const char *value, void *target)
{
    char *path = realpath(value, NULL); /* other processes are elsewhere */

    if (!path)
        msg_error("%s%s: %s", label, value, strerror(errno));
    ((struct region_options *)target)->region.swap = path;
    return path ? 0 : -EINVAL;
}

static int read_persist(const char *label, const char *value, void *target)
{
    if (*value != '/') {
        msg_error("%s%s: give a path from / on", label, value);
        return -EINVAL;
    }
    ((struct region_options *)target)->region.persist = value;
    return 0;
}

static const struct option create_options[] = {
    {"--size", "SIZE", "how large it is", read_region_size},
    {"--ram", "SIZE", "how much of it may be resident, for all processes together", read_ram},
    {"--object-size", "SIZE", "the unit that is swapped; default: 16K", read_object_size},
    {"--swap", "PATH", "a directory for its store; default: $TMPDIR or /var/tmp", read_swap},
    {"--persist", "PATH", "a file that is its store and keeps its content", read_persist},
    {"--mode", "MODE", "who may attach it, as a file mode; default: 0600", named_read_mode},
    {"--group", "GROUP", "the group that the mode is about", named_read_group},
    {0},
};
static const struct option no_options[] = {{0}};

/* ---- Opening, to look at ---- */

struct opened {
    char name[SHARED_NAME_MAX];
    char path[SHARED_PATH_MAX];
    struct shared_file *file;
    int fd;
};

static int map_opened(struct opened *region)
{
    const char *reason;
    int error = shared_file_map(region->fd, &region->file, &reason);

    if (!error)
        return 0;
    msg_error("region %s: %s (%s)", region->name, reason, region->path);
    close(region->fd);
    return error;
}

static int open_region(const char *given, struct opened *region)
{
    named_resolve(given, region->name, sizeof(region->name));
    region->fd = shared_file_open(region->name, region->path);
    return region->fd < 0 ? region->fd : map_opened(region);
}

static void close_region(struct opened *region)
{
    shared_file_unmap(region->file);
    close(region->fd);
}

static bool lives(const struct opened *region, unsigned member)
{
    struct alive alive;

    alive_init(&alive, region->fd);
    return atomic_load(&region->file->members[member].pid) && alive_is_held(&alive, member);
}

static unsigned count_members(const struct opened *region)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SHARED_MEMBERS; i++)
        count += lives(region, i);
    return count;
}

/* ---- create ---- */

/* Both files, before any group may open them. */
static int give_files(const struct opened *region, const struct named_access *access)
{
    const char *store = region->file->store;

    return chown(store, (uid_t)-1, access->group) || chmod(store, access->mode) ||
           fchown(region->fd, (uid_t)-1, access->group) || fchmod(region->fd, access->mode);
}

static int give_to_group(const char *name, const struct named_access *access)
{
    struct opened region;
    int error;

    if (access->group == (gid_t)-1)
        return 0;
    error = open_region(name, &region);
    if (error)
        return error;
    if (give_files(&region, access)) {
        msg_error("region %s: it cannot be given to the group (%s)", name, strerror(errno));
        error = -errno;
    }
    close_region(&region);
    return error;
}

static bool may_be_made(const char *name, const struct uswap_shared_options *options)
{
    const char *wrong = NULL;

    if (!options->size && !options->persist)
        wrong = "the size is missing; give --size SIZE";
    else if (!options->ram)
        wrong = "what may be resident is missing; give --ram SIZE";
    else if (options->swap && options->persist)
        wrong = "its store is either in --swap or --persist; give one of them";
    if (wrong)
        msg_error("region create %s: %s", name, wrong);
    return !wrong;
}

/* All of a store is reserved, and one that was there is read. */
static int create(const char *name, const struct uswap_shared_options *options)
{
    char what[SHARED_NAME_MAX + 32];
    int error;

    fmt_write(what, sizeof(what), "region %s: its store is made", name);
    progress_begin(what, NULL, NULL);
    error = uswap_shared_create(name, options);
    progress_end();
    return error;
}

static int run_create(const struct command *command, char **arguments)
{
    struct region_options options = {.access = NAMED_PRIVATE};
    char *name;
    int status;

    if (!named_parse(command, arguments, &options, &name, 1, &status))
        return status;
    if (!may_be_made(name, &options.region))
        return EXIT_USAGE;
    options.region.mode = options.access.mode;
    if (options.access.group != (gid_t)-1)
        options.region.mode &= S_IRWXU;
    if (create(name, &options.region))
        return EXIT_USAGE;
    return give_to_group(name, &options.access) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- ls and show ---- */

static void print_row(const struct opened *region, const char *name, uid_t owner)
{
    const struct shared_file *file = region->file;
    char size[16], ram[16], used[16];

    printf("%-24s %8u %8s %8s %8s %8u\n", name, owner, size_format(file->size, size),
           size_format(atomic_load(&file->limit) << PAGE_SHIFT, ram),
           size_format(atomic_load(&file->used) << PAGE_SHIFT, used), count_members(region));
}

static void list_region(int fd, const char *name, uid_t owner)
{
    struct opened region = {.fd = fd};
    const char *reason;

    if (shared_file_map(fd, &region.file, &reason))
        return;
    print_row(&region, name, owner);
    shared_file_unmap(region.file);
}

static int run_ls(const struct command *command, char **arguments)
{
    static const struct named_listing listing = {
        SHARED_PREFIX, "NAME                        OWNER     SIZE      RAM RESIDENT  MEMBERS",
        list_region};

    return named_list(command, arguments, &listing);
}

static uint64_t mapped_by(const struct shared_file *file, unsigned member)
{
    uint64_t bit = (uint64_t)1 << member, size = 0;

    for (uint64_t i = 0; i < shared_file_objects(file); i++)
        size += atomic_load(&file->objects[i].mapped) & bit ? file->object_size : 0;
    return size;
}

static void print_member(const struct shared_file *file, unsigned number)
{
    const struct shared_member *member = &file->members[number];
    char mapped[16], name[sizeof(member->name)];

    memcpy(name, member->name, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    printf("%8u %-16s %8s\n", atomic_load(&member->pid), name,
           size_format(mapped_by(file, number), mapped));
}

static void print_region(const struct shared_file *file)
{
    char size[16], object[16], ram[16], used[16], in[16], out[16];

    printf("size %s in objects of %s, RAM %s, resident %s\n", size_format(file->size, size),
           size_format(file->object_size, object),
           size_format(atomic_load(&file->limit) << PAGE_SHIFT, ram),
           size_format(atomic_load(&file->used) << PAGE_SHIFT, used));
    printf("store %s%s\n", file->store, file->keeps ? ", which stays" : "");
    printf("read %s, written %s, evicted %lu objects, %lu of them unchanged, IO errors %lu, lost "
           "%lu\n",
           size_format(atomic_load(&file->reads) << PAGE_SHIFT, in),
           size_format(atomic_load(&file->writes) << PAGE_SHIFT, out),
           (unsigned long)atomic_load(&file->evictions),
           (unsigned long)atomic_load(&file->clean_drops),
           (unsigned long)atomic_load(&file->io_errors),
           (unsigned long)atomic_load(&file->poisoned));
}

static int run_show(const struct command *command, char **arguments)
{
    struct opened region;
    char *name;
    int status;

    if (!named_parse(command, arguments, NULL, &name, 1, &status))
        return status;
    if (open_region(name, &region))
        return EXIT_USAGE;
    print_region(region.file);
    printf("%8s %-16s %8s\n", "PID", "PROGRAM", "MAPPED");
    for (unsigned i = 0; i < SHARED_MEMBERS; i++)
        if (lives(&region, i))
            print_member(region.file, i);
    close_region(&region);
    return EXIT_SUCCESS;
}

/* ---- resize ---- */

static bool fits(const struct shared_file *file)
{
    return atomic_load(&file->used) <= atomic_load(&file->limit);
}

static uint64_t has_to_leave(const void *target)
{
    const struct shared_file *file = target;
    uint64_t used = atomic_load(&file->used), limit = atomic_load(&file->limit);

    return used > limit ? (used - limit) << PAGE_SHIFT : 0;
}

/* We send away what nobody maps, and have the members unmap. */
static bool shrink(struct shared *shared)
{
    char what[SHARED_NAME_MAX + 32];

    fmt_write(what, sizeof(what), "region %s: memory leaves", shared->name);
    progress_begin(what, has_to_leave, shared->file);
    for (unsigned look = 0; look < RESIZE_LOOKS && !fits(shared->file); look++) {
        clock_refill(shared);
        usleep(RESIZE_LOOK_US);
    }
    progress_end();
    return fits(shared->file);
}

static int resize(struct shared *shared, uint64_t ram)
{
    uint64_t before = atomic_load(&shared->file->limit);
    char size[16];

    if (ram < SHARED_RAM_MIN || ram < 16 * shared->file->object_size) {
        msg_error("region resize: %s is too small; give 1M and 16 objects at least",
                  size_format(ram, size));
        return EXIT_USAGE;
    }
    atomic_store(&shared->file->limit, ram >> PAGE_SHIFT);
    if (shrink(shared))
        return EXIT_SUCCESS;
    atomic_store(&shared->file->limit, before);
    msg_error("region %s: its members do not give way; it stays at %s", shared->name,
              size_format(before << PAGE_SHIFT, size));
    return EXIT_FAILURE;
}

static int run_resize(const struct command *command, char **arguments)
{
    char name[SHARED_NAME_MAX], *operands[2];
    struct shared *shared;
    uint64_t ram;
    int status;

    if (!named_parse(command, arguments, NULL, operands, 2, &status))
        return status;
    named_resolve(operands[0], name, sizeof(name));
    if (read_size("region resize ", operands[1], &ram) || shared_open(name, NULL, &shared))
        return EXIT_USAGE;
    status = resize(shared, ram);
    return shared_close(shared) ? EXIT_FAILURE : status;
}

/* ---- rm ---- */

static int remove_region(const char *name)
{
    char what[SHARED_NAME_MAX + 32];
    int error;

    fmt_write(what, sizeof(what), "region %s: its store is made whole", name);
    progress_begin(what, NULL, NULL);
    error = uswap_shared_unlink(name);
    progress_end();
    return error;
}

static int run_rm(const struct command *command, char **arguments)
{
    char name[SHARED_NAME_MAX], *given;
    int status, error;

    if (!named_parse(command, arguments, NULL, &given, 1, &status))
        return status;
    named_resolve(given, name, sizeof(name));
    error = remove_region(name);
    if (error == -ENOENT || error == -EINVAL)
        return EXIT_USAGE;
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- the command ---- */

const struct command region_commands[] = {
    {"region create", "NAME", "Make memory that processes can share",
     "\nRAM is taken from /dev/shm as it is needed; the store is reserved at once.\n",
     create_options, run_create},
    {"region ls", "", "List the regions that you may attach", "", no_options, run_ls},
    {"region show", "NAME", "Show a region: sizes, traffic, members", "", no_options, run_show},
    {"region resize", "NAME SIZE", "Change how much may be resident, also while it is used", "",
     no_options, run_resize},
    {"region rm", "NAME", "Remove a region; the file of --persist stays, and is whole", "",
     no_options, run_rm},
    {0},
};

const struct command command_region = {
    "region", "COMMAND", "Make and manage memory that processes share", "", no_options, named_run,
};
