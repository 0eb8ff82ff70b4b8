/* SPDX-License-Identifier: MIT */
/*
 * What the machine and the enclosing cgroups leave available.
 *
 * /proc/self/cgroup names the cgroup of this process in each hierarchy, /proc/self/mountinfo says
 * where the hierarchy is mounted and which cgroup is the root of that mount (not the real root in a
 * container without a cgroup namespace). From the cgroup up to the root of the mount, each
 * directory may have a limit; limits above that root cannot be seen.
 *
 * Runs in the constructor of the preload library: only system calls, and memory on the stack.
 */
#include "arena/available.h"

#include "base/fmt.h"
#include "base/sys.h"

#include <fcntl.h>
#include <string.h>

#define PATH_SIZE 4096

/* ---- reading files by lines ---- */

struct reader {
    int fd;
    size_t next;
    size_t end;
    char data[1024];
};

static bool reader_open(struct reader *reader, const char *root, const char *path)
{
    char full[PATH_SIZE];

    fmt_write(full, sizeof(full), "%s%s", root, path);
    reader->fd = (int)sys_call(SYS_openat, AT_FDCWD, full, O_RDONLY | O_CLOEXEC);
    reader->next = reader->end = 0;
    return reader->fd >= 0;
}

static void reader_close(struct reader *reader)
{
    sys_call(SYS_close, reader->fd);
}

static int reader_char(struct reader *reader)
{
    if (reader->next == reader->end) {
        long got = sys_call(SYS_read, reader->fd, reader->data, sizeof(reader->data));
        if (got <= 0)
            return -1;
        reader->next = 0;
        reader->end = (size_t)got;
    }
    return (unsigned char)reader->data[reader->next++];
}

/* The next line without its end; what does not fit is left out. */
static bool reader_line(struct reader *reader, char *line, size_t size)
{
    size_t length = 0;
    int c = reader_char(reader);

    if (c < 0)
        return false;
    for (; c >= 0 && c != '\n'; c = reader_char(reader))
        if (length + 1 < size)
            line[length++] = (char)c;
    line[length] = '\0';
    return true;
}

/* ---- numbers in files ---- */

/* The kernel's numbers fit; "max" is no limit. */
static bool parse_number(const char *text, uint64_t *value)
{
    uint64_t number = 0;

    while (*text == ' ' || *text == '\t')
        text++;
    if (strncmp(text, "max", 3) == 0) {
        *value = UINT64_MAX;
        return true;
    }
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        number = number * 10 + (uint64_t)(*text - '0');
    *value = number;
    return true;
}

/* The number on the first line that starts with key ("": the first line). */
static bool read_number(const char *root, const char *path, const char *key, uint64_t *value)
{
    struct reader reader;
    char line[256];
    bool found = false;

    if (!reader_open(&reader, root, path))
        return false;
    while (!found && reader_line(&reader, line, sizeof(line)))
        found = strncmp(line, key, strlen(key)) == 0 && parse_number(line + strlen(key), value);
    reader_close(&reader);
    return found;
}

/* ---- cgroups ---- */

/* The two versions of cgroups, as far as they differ here. */
struct hierarchy {
    const char *controller; /* in /proc/self/cgroup and, when not empty, a mount option */
    const char *fstype;
    const char *limits[2];
    const char *usage;
    const char *cache; /* key in memory.stat: page cache that goes first */
};

static const struct hierarchy hierarchies[] = {
    {"", "cgroup2", {"memory.max", "memory.high"}, "memory.current", "inactive_file "},
    {"memory",
     "cgroup",
     {"memory.limit_in_bytes"},
     "memory.usage_in_bytes",
     "total_inactive_file "},
};

/* Whether word is one of the words of list. An empty list has the empty word. */
static bool has_word(const char *list, char separator, const char *word)
{
    size_t length = strlen(word);

    for (;;) {
        const char *end = strchrnul(list, separator);
        if ((size_t)(end - list) == length && memcmp(list, word, length) == 0)
            return true;
        if (!*end)
            return false;
        list = end + 1;
    }
}

/* Cut text at the first separator; what follows it, or its end. */
static char *cut(char *text, char separator)
{
    char *end = strchrnul(text, separator);

    if (*end)
        *end++ = '\0';
    return end;
}

/* The path of this process in the hierarchy. A line is ID:CONTROLLER,CONTROLLER:PATH. */
static bool find_group(const char *root, const struct hierarchy *hierarchy, char path[PATH_SIZE])
{
    struct reader reader;
    bool found = false;

    if (!reader_open(&reader, root, "/proc/self/cgroup"))
        return false;
    while (!found && reader_line(&reader, path, PATH_SIZE)) {
        char *controllers = cut(path, ':');
        char *group = cut(controllers, ':');

        found = has_word(controllers, ',', hierarchy->controller);
        if (found)
            memmove(path, group, strlen(group) + 1);
    }
    reader_close(&reader);
    return found;
}

struct mount {
    char line[PATH_SIZE];
    const char *root;  /* the cgroup that is mounted */
    const char *point; /* where */
};

/* A line is ID PARENT DEVICE ROOT POINT OPTIONS [FIELD...] - TYPE SOURCE SUPER-OPTIONS. */
static bool parse_mount(struct mount *mount, const struct hierarchy *hierarchy)
{
    char *separator = strstr(mount->line, " - ");
    char *type, *super, *field = mount->line;

    if (!separator)
        return false;
    type = separator + 3;
    *separator = '\0';
    super = cut(cut(type, ' '), ' ');
    for (int skip = 0; skip < 3; skip++)
        field = cut(field, ' ');
    mount->root = field;
    mount->point = cut(field, ' ');
    cut((char *)mount->point, ' ');
    return strcmp(type, hierarchy->fstype) == 0 &&
           (!*hierarchy->controller || has_word(super, ',', hierarchy->controller));
}

static bool find_mount(const char *root, const struct hierarchy *hierarchy, struct mount *mount)
{
    struct reader reader;
    bool found = false;

    if (!reader_open(&reader, root, "/proc/self/mountinfo"))
        return false;
    while (!found && reader_line(&reader, mount->line, sizeof(mount->line)))
        found = parse_mount(mount, hierarchy);
    reader_close(&reader);
    return found;
}

/* What of the path lies below the root of the mount; "" when it lies elsewhere. */
static const char *below(const char *mount_root, const char *path)
{
    size_t length = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    const char *rest = path + length;

    if (strncmp(path, mount_root, length) != 0)
        return "";
    return rest[0] == '/' && rest[1] ? rest : "";
}

static bool read_group(const char *root, const char *directory, const char *name, const char *key,
                       uint64_t *value)
{
    char path[PATH_SIZE];

    fmt_write(path, sizeof(path), "%s/%s", directory, name);
    return read_number(root, path, key, value);
}

/* What one cgroup leaves, not looking at those above it. */
static uint64_t group_available(const char *root, const char *directory,
                                const struct hierarchy *hierarchy)
{
    uint64_t limit = UINT64_MAX, usage = 0, cache = 0, value;

    for (size_t i = 0; i < array_size(hierarchy->limits) && hierarchy->limits[i]; i++)
        if (read_group(root, directory, hierarchy->limits[i], "", &value))
            limit = min_u64(limit, value);
    if (limit == UINT64_MAX || !read_group(root, directory, hierarchy->usage, "", &usage))
        return UINT64_MAX;
    if (read_group(root, directory, "memory.stat", hierarchy->cache, &cache))
        usage -= min_u64(usage, cache);
    return limit - min_u64(limit, usage);
}

static uint64_t hierarchy_available(const char *root, const struct hierarchy *hierarchy)
{
    struct mount mount;
    char group[PATH_SIZE], directory[2 * PATH_SIZE];
    uint64_t available = UINT64_MAX;
    size_t top, length;

    if (!find_group(root, hierarchy, group) || !find_mount(root, hierarchy, &mount))
        return available;
    top = strlen(mount.point);
    length = fmt_write(directory, sizeof(directory), "%s%s", mount.point, below(mount.root, group));
    for (;;) {
        available = min_u64(available, group_available(root, directory, hierarchy));
        if (length <= top)
            return available;
        while (directory[--length] != '/')
            ;
        directory[length] = '\0';
    }
}

uint64_t available_ram(const char *root)
{
    uint64_t kib, available;

    if (!read_number(root, "/proc/meminfo", "MemAvailable:", &kib))
        return 0;
    available = kib * KIB;
    for (size_t i = 0; i < array_size(hierarchies); i++)
        available = min_u64(available, hierarchy_available(root, &hierarchies[i]));
    return available;
}
