/* SPDX-License-Identifier: MIT */
/*
 * The options. In the preload library this runs before libc has set up the environment, so values
 * come from the array that the kernel handed over; strings are copied, for the program may change
 * that array. Copies live in the library's own memory and stay for good: a process reads its
 * options once or twice.
 */
#include "arena/config.h"

#include "arena/available.h"
#include "arena/join.h"
#include "base/fmt.h"
#include "base/meta.h"
#include "base/msg.h"
#include "base/size.h"
#include "base/sys.h"
#include "observe/stats.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define SIZE_HINT "write a number with K, M, G or T, or a percentage such as 25%"

uint64_t config_available_ram(void)
{
    return available_ram("");
}

uint64_t config_default_ram(void)
{
    return max_u64(config_available_ram() / 2, CONFIG_RAM_MIN);
}

/* ---- paths ---- */

/* A copy of path that stays, made absolute. NULL: no memory, or longer than a path may be. */
static const char *keep_path(const char *path)
{
    char directory[PATH_MAX] = "";
    size_t size;
    char *copy;

    if (*path != '/' && sys_call(SYS_getcwd, directory, sizeof(directory)) < 0)
        return NULL;
    size = strlen(directory) + strlen(path) + 2;
    copy = size <= PATH_MAX ? meta_reserve(size) : NULL;
    if (!copy)
        return NULL;
    meta_charge((int64_t)align_up(size, PAGE_SIZE));
    fmt_write(copy, size, "%s%s%s", directory, *path == '/' ? "" : "/", path);
    return copy;
}

static uint64_t device_size(const char *path)
{
    uint64_t size = 0;
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        sys_call(SYS_ioctl, fd, BLKGETSIZE64, &size);
        sys_call(SYS_close, fd);
    }
    return size;
}

/* What a percentage is of: the block device, or the free space where the file lies or will lie. */
static uint64_t space_at(const char *path)
{
    char parent[PATH_MAX];
    struct stat status;
    struct statfs space;

    if (sys_call(SYS_newfstatat, AT_FDCWD, path, &status, 0) == 0 && S_ISBLK(status.st_mode))
        return device_size(path);
    if (sys_call(SYS_statfs, path, &space) == 0)
        return (uint64_t)space.f_bavail * (uint64_t)space.f_bsize;
    fmt_write(parent, sizeof(parent), "%s", path);
    strrchr(parent, '/')[1] = '\0';
    if (sys_call(SYS_statfs, parent, &space) == 0)
        return (uint64_t)space.f_bavail * (uint64_t)space.f_bsize;
    return 0;
}

/* ---- stores ---- */

/* A store as it is written: the path without its escapes, the text of the size if there is one. */
struct store_text {
    char path[PATH_MAX];
    char size[32];
    bool has_size;
};

/* Copy text up to one of the ends, taking escapes away; returns where it stopped, NULL when it is
 * too long for buffer. */
static const char *copy_until(const char *text, const char *ends, char *buffer, size_t size)
{
    size_t length = 0;

    for (; *text && !strchr(ends, *text); text++) {
        if (*text == '\\' && text[1])
            text++;
        if (length + 1 == size)
            return NULL;
        buffer[length++] = *text;
    }
    buffer[length] = '\0';
    return text;
}

/* Read PATH[:SIZE]; separators end it. Returns the text after it, NULL when a part is too long. */
static const char *split_store(const char *text, const char *separators, struct store_text *store)
{
    char ends[3] = ":";

    fmt_write(ends, sizeof(ends), ":%s", separators);
    text = copy_until(text, ends, store->path, sizeof(store->path));
    store->has_size = text && *text == ':';
    if (store->has_size)
        text = copy_until(text + 1, separators, store->size, sizeof(store->size));
    return text;
}

static int refuse(const char *label, const char *text, const char *reason)
{
    msg_error("%s%s: %s", label, text, reason);
    return -EINVAL;
}

/* Messages name these. */
static_assert(USWAP_MAX_STORES == 8, "stores");
static_assert(CONFIG_RAM_MIN == 8 * MIB, "smallest budget");

static int add_store(const char *label, const char *text, const struct store_text *store,
                     struct uswap_options *options)
{
    struct uswap_store_options *added = &options->stores[options->stores_count];
    uint64_t size = 0;

    if (options->stores_count == USWAP_MAX_STORES)
        return refuse(label, text, "more stores than the 8 that one program can have");
    if (!*store->path)
        return refuse(label, text, "the path is missing; write PATH or PATH:SIZE");
    added->path = keep_path(store->path);
    if (!added->path)
        return refuse(label, text, "the path is too long");
    if (store->has_size && (size_parse(store->size, space_at(added->path), &size) < 0 || size == 0))
        return refuse(label, text,
                      "what follows the colon is not a size; " SIZE_HINT
                      " (a colon in the path is written \\:)");
    added->size = size;
    options->stores_count++;
    return 0;
}

static int add_stores(const char *label, const char *text, const char *separators,
                      struct uswap_options *options)
{
    struct store_text store;
    const char *next = text;
    int error;

    for (;;) {
        next = split_store(next, separators, &store);
        if (!next)
            return refuse(label, text, "the path or the size is too long");
        error = add_store(label, text, &store, options);
        if (error || !*next)
            return error;
        next++;
    }
}

int config_add_store(const char *label, const char *text, struct uswap_options *options)
{
    return add_stores(label, text, "", options);
}

int config_add_stores(const char *label, const char *text, struct uswap_options *options)
{
    return add_stores(label, text, ",", options);
}

/* Append path with escapes; returns the new length, size or more when it did not fit. */
static size_t append_path(const char *path, char *buffer, size_t size, size_t length)
{
    for (; *path && length < size; path++) {
        if (strchr(":,\\", *path))
            buffer[length++] = '\\';
        if (length < size)
            buffer[length++] = *path;
    }
    return length;
}

int config_write_stores(const struct uswap_options *options, char *buffer, size_t size)
{
    size_t length = 0;

    buffer[0] = '\0';
    for (unsigned i = 0; i < options->stores_count && length < size; i++) {
        const struct uswap_store_options *store = &options->stores[i];

        if (i > 0)
            length += fmt_write(buffer + length, size - length, ",");
        length = append_path(store->path, buffer, size, length);
        if (length < size && store->size)
            length += fmt_write(buffer + length, size - length, ":%lu", store->size);
    }
    if (length + 1 >= size)
        return -ERANGE;
    buffer[length] = '\0';
    return 0;
}

/* ---- the other values ---- */

/* What a % is of: some 30 system calls, so only where there is one. */
static uint64_t whole_ram(const char *text)
{
    return strchr(text, '%') ? config_available_ram() : 0;
}

int config_read_ram(const char *label, const char *text, struct uswap_options *options)
{
    uint64_t ram;
    int error = size_parse(text, whole_ram(text), &ram);

    if (error == -ERANGE)
        return refuse(label, text, "more than there can be");
    if (error)
        return refuse(label, text, "not a size; " SIZE_HINT);
    if (ram < CONFIG_RAM_MIN)
        return refuse(label, text, "the budget is too small; give at least 8M");
    options->ram = ram;
    return 0;
}

int config_read_share(const char *label, const char *text, uint64_t *share)
{
    if (size_parse(text, whole_ram(text), share) < 0)
        return refuse(label, text, "not a size; " SIZE_HINT);
    if (*share < PAGE_SIZE)
        return refuse(label, text, "less than a page");
    return 0;
}

int config_read_pool(const char *label, const char *text, struct uswap_options *options)
{
    if (!join_name_is_good(text))
        return refuse(label, text,
                      "not the name of a pool; write NAME or UID/NAME, with letters, digits, dots, "
                      "underscores and hyphens");
    options->pool = meta_keep_text(text);
    return options->pool ? 0 : -ENOMEM;
}

int config_read_stats(const char *label, const char *text, struct uswap_options *options)
{
    if (!*text)
        return refuse(label, text, "the file name is missing; give one, or - for a summary");
    options->stats_path = strcmp(text, "-") == 0 ? "-" : keep_path(text);
    if (!options->stats_path)
        return refuse(label, text, "the path is too long");
    return 0;
}

int config_read_log(const char *label, const char *text, struct uswap_options *options)
{
    if (!*text)
        return refuse(label, text, "the file name is missing");
    options->log_path = keep_path(text);
    return options->log_path ? 0 : refuse(label, text, "the path is too long");
}

int config_read_trace(const char *label, const char *text, struct uswap_options *options)
{
    if (!*text)
        return refuse(label, text, "the file name is missing");
    options->trace_path = keep_path(text);
    return options->trace_path ? 0 : refuse(label, text, "the path is too long");
}

static int read_log_level(const char *label, const char *text, struct uswap_options *options)
{
    options->log_level = msg_level_of(text);
    return options->log_level >= 0
               ? 0
               : refuse(label, text, "no such level; give error, warning, info or debug");
}

int config_read_children(const char *label, const char *text, bool *children)
{
    *children = strcmp(text, "yes") == 0;
    if (*children || strcmp(text, "no") == 0)
        return 0;
    return refuse(label, text, "write yes or no");
}

int config_read_mmap(const char *label, const char *text, struct uswap_options *options)
{
    uint64_t size = 0;

    if (strcmp(text, "yes") == 0)
        size = CONFIG_MMAP_DEFAULT;
    else if (strcmp(text, "no") == 0)
        size = CONFIG_MMAP_NONE;
    else if (size_parse(text, 0, &size) || size < PAGE_SIZE)
        return refuse(label, text, "neither yes, nor no, nor a size of at least 4K such as 1M");
    options->mmap_threshold = size;
    return 0;
}

static const char *const compress_names[] = {
    [USWAP_COMPRESS_AUTO] = "auto",
    [USWAP_COMPRESS_OFF] = "off",
    [USWAP_COMPRESS_LZ4] = "lz4",
    [USWAP_COMPRESS_ZSTD] = "zstd",
};

int config_read_compress(const char *label, const char *text, struct uswap_options *options)
{
    for (size_t i = 0; i < array_size(compress_names); i++) {
        if (strcmp(text, compress_names[i]) != 0)
            continue;
        options->compress = (int)i;
        return 0;
    }
    return refuse(label, text, "no such way; give auto, off, lz4 or zstd");
}

/* ---- the environment ---- */

struct variable {
    const char *label;
    int (*read)(const char *label, const char *text, struct uswap_options *options);
};

static const struct variable variables[] = {
    {"USWAP_LOG=", read_log_level},
    {"USWAP_LOG_FILE=", config_read_log},
    {"USWAP_RAM=", config_read_ram},
    {"USWAP_POOL=", config_read_pool},
    {"USWAP_SWAP=", config_add_stores},
    {"USWAP_STATS=", config_read_stats},
    {"USWAP_TRACE=", config_read_trace},
    {"USWAP_MMAP=", config_read_mmap},
    {"USWAP_COMPRESS=", config_read_compress},
};

static const char *find_variable(char **environment, const char *label)
{
    size_t length = strlen(label);

    for (; environment && *environment; environment++)
        if (strncmp(*environment, label, length) == 0)
            return *environment + length;
    return "";
}

/* Whether a variable names this process. */
static bool names_us(const char *pid)
{
    char own[24];

    fmt_write(own, sizeof(own), "%ld", sys_call(SYS_getpid));
    return strcmp(pid, own) == 0;
}

/* Whether USWAP_STATS, with the process that CONFIG_STATS_PID names, is meant for another one. */
static bool is_for_another(char **environment)
{
    const char *pid = find_variable(environment, CONFIG_STATS_PID "=");

    return *pid && !names_us(pid);
}

/* The file of a process that is not the one which `uswap run` became. */
static int name_own_trace(char **environment, struct uswap_options *options)
{
    char path[PATH_MAX + 24];

    if (!options->trace_path || names_us(find_variable(environment, CONFIG_TRACE_PID "=")))
        return 0;
    fmt_write(path, sizeof(path), "%s.%ld", options->trace_path, sys_call(SYS_getpid));
    options->trace_path = keep_path(path);
    return options->trace_path ? 0 : refuse("USWAP_TRACE=", path, "the path is too long");
}

int config_from_environment(char **environment, struct uswap_options *options)
{
    for (size_t i = 0; i < array_size(variables); i++) {
        const char *text = find_variable(environment, variables[i].label);
        if (variables[i].read == config_read_stats && !stats_find_pid(text) &&
            is_for_another(environment))
            continue;
        int error = *text ? variables[i].read(variables[i].label, text, options) : 0;

        if (error)
            return error;
    }
    return name_own_trace(environment, options);
}

int config_children_from_environment(char **environment, bool *children)
{
    const char *text = find_variable(environment, CONFIG_CHILDREN "=");

    return config_read_children(CONFIG_CHILDREN "=", *text ? text : "yes", children);
}

/* ---- the public interface ---- */

exported void uswap_options_init(struct uswap_options *options)
{
    *options = (struct uswap_options){.struct_size = sizeof(*options), .log_level = USWAP_INFO};
}

exported int uswap_options_from_env(struct uswap_options *options)
{
    uswap_options_init(options);
    return config_from_environment(environ, options);
}
