/* SPDX-License-Identifier: MIT */
/*
 * uswap run: check everything that can be checked, put the options into the environment, and become
 * the program. There is no parent process that stays, so exit code, signals, input and output are
 * the program's own.
 *
 * What the program's copy of the engine would refuse is refused here, with exit code 2: the same
 * readers read the options, and the stores are opened and closed again.
 */
#include "arena/config.h"
#include "arena/join.h"
#include "base/fmt.h"
#include "base/msg.h"
#include "base/size.h"
#include "command.h"
#include "mask/mask.h"
#include "object/pool_file.h"
#include "program.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRELOAD_NAME "libuswap-preload.so"

/* ---- options ---- */

/* The engine's options come first, for the readers that know only them. */
struct run_options {
    struct uswap_options engine;
    uint64_t share;
    char pool[JOIN_NAME_MAX];
};

static int read_pool(const char *label, const char *value, void *target)
{
    struct run_options *run = target;

    run->engine.pool = run->pool;
    return pool_resolve(value, run->pool) ? 0 : -EINVAL;
}

static int read_share(const char *label, const char *value, void *target)
{
    struct run_options *run = target;

    return config_read_share(label, value, &run->share);
}

static int read_ram(const char *label, const char *value, void *target)
{
    return config_read_ram(label, value, target);
}

static int read_swap(const char *label, const char *value, void *target)
{
    return config_add_store(label, value, target);
}

static int read_stats(const char *label, const char *value, void *target)
{
    return config_read_stats(label, value, target);
}

static int read_log(const char *label, const char *value, void *target)
{
    return config_read_log(label, value, target);
}

static int read_trace(const char *label, const char *value, void *target)
{
    return config_read_trace(label, value, target);
}

/* Not one of the engine's options: NULL or "no", "yes". */
static const char *children_given;

static int read_children(const char *label, const char *value, void *target)
{
    bool children;

    children_given = value;
    return config_read_children(label, value, &children);
}

static int read_mmap(const char *label, const char *value, void *target)
{
    return config_read_mmap(label, value, target);
}

static const char *compress_given;

static int read_compress(const char *label, const char *value, void *target)
{
    compress_given = value;
    return config_read_compress(label, value, target);
}

static const struct option options[] = {
    {"--ram", "SIZE",
     "memory that may be resident, of the program and all it starts together; default: "
     "half of what is available",
     read_ram},
    {"--pool", "NAME", "share the budget of this pool instead; see uswap pool", read_pool},
    {"--min-per-process", "SIZE", "what each process can always use; default: 1/64, at most 8M",
     read_share},
    {"--swap", "PATH[:SIZE]", "a directory, file or block device to swap to; may be repeated",
     read_swap},
    {"--mmap", "yes|no|SIZE",
     "swap private anonymous mappings, too, from SIZE on; yes: from 256K on; default: no",
     read_mmap},
    {"--compress", "auto|off|lz4|zstd",
     "keep what leaves compressed in a part of the memory; default: auto, which is lz4 at "
     "first and zstd for what is used again, as far as it gains something",
     read_compress},
    {"--stats", "FILE",
     "write statistics there at exit, as JSON (%p: one file a process); -: a summary on stderr",
     read_stats},
    {"--trace", "FILE", "record what happens to memory, for uswap report", read_trace},
    {"--log", "FILE", "append messages to it instead of writing them to stderr", read_log},
    {"--children", "yes|no", "whether what the program executes runs so, too; default: yes",
     read_children},
    {0},
};

/* Give the options to the program. A variable stays as it is where its option was not given. */
static int export_options(const struct uswap_options *given)
{
    static char text[USWAP_MAX_STORES * 2 * PATH_MAX];
    int failed = 0;

    if (given->ram) {
        fmt_write(text, sizeof(text), "%lu", given->ram);
        failed |= setenv("USWAP_RAM", text, 1);
    }
    if (given->pool)
        failed |= setenv("USWAP_POOL", given->pool, 1);
    if (given->stores_count) {
        failed |= config_write_stores(given, text, sizeof(text));
        failed |= setenv("USWAP_SWAP", text, 1);
    }
    if (given->stats_path)
        failed |= setenv("USWAP_STATS", given->stats_path, 1);
    if (given->trace_path)
        failed |= setenv("USWAP_TRACE", given->trace_path, 1);
    if (given->log_path)
        failed |= setenv("USWAP_LOG_FILE", given->log_path, 1);
    if (compress_given)
        failed |= setenv("USWAP_COMPRESS", compress_given, 1);
    if (given->mmap_threshold == CONFIG_MMAP_NONE) {
        failed |= setenv("USWAP_MMAP", "no", 1);
    } else if (given->mmap_threshold) {
        fmt_write(text, sizeof(text), "%lu", given->mmap_threshold);
        failed |= setenv("USWAP_MMAP", text, 1);
    }
    if (failed)
        msg_error("the options are too long for the environment");
    return failed ? -ENOMEM : 0;
}

/* What the environment says counts where nothing is given. */
static int export_children(void)
{
    bool children;

    if (children_given)
        return setenv(CONFIG_CHILDREN, children_given, 1) ? -ENOMEM : 0;
    return config_children_from_environment(environ, &children);
}

/* The statistics are those of this process, whatever it becomes, unless they are those of one that
 * this one descends from; so is the trace. */
static int claim(const char *variable, bool given)
{
    char pid[24];

    fmt_write(pid, sizeof(pid), "%d", getpid());
    return setenv(variable, pid, given) ? -ENOMEM : 0;
}

/* ---- checks ---- */

static int check_kernel(void)
{
    const char *reason = "";
    int error = mask_probe(&reason);

    if (error)
        msg_error("this machine cannot run uswap: %s", reason);
    return error;
}

/* The stores say themselves what is wrong. What is only to be noted they say again in the program.
 */
static int check_stores(const struct uswap_options *effective)
{
    int error;

    msg_set_level(USWAP_ERROR);
    error = store_check(effective->stores, effective->stores_count);
    msg_set_level(effective->log_level);
    return error;
}

/* Whether path can be written or made, without making it. */
static bool can_write(const char *path)
{
    char parent[PATH_MAX];
    struct stat status;

    if (stat(path, &status) == 0)
        return !S_ISDIR(status.st_mode) && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
    if (errno != ENOENT)
        return false;
    fmt_write(parent, sizeof(parent), "%s", path);
    strrchr(parent, '/')[1] = '\0';
    return faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0;
}

static int check_file(const char *option, const char *path, const char *remedy)
{
    char name[8];
    int error;

    if (!path || strcmp(path, "-") == 0)
        return 0;
    errno = EISDIR;
    if (can_write(path))
        return 0;
    error = errno;
    msg_error("%s %s: cannot be written (%s); give another file%s", option, path,
              fmt_errno(error, name), remedy);
    return -error;
}

/* ---- the preload library ---- */

/* It lies next to this program in the build directory, or in the library directory of the same
 * installation, wherever that was moved to. */
static const char *const preload_places[] = {PRELOAD_NAME, "../" USWAP_LIBDIR "/" PRELOAD_NAME};

static bool find_preload(char path[PATH_MAX])
{
    for (size_t i = 0; i < array_size(preload_places); i++)
        if (command_find_beside(preload_places[i], path))
            return true;
    return false;
}

/* Put the library in front of what is preloaded already. */
static int export_preload(void)
{
    static char value[2 * PATH_MAX];
    char path[PATH_MAX];
    const char *others = getenv("LD_PRELOAD");

    if (!find_preload(path)) {
        msg_error("%s is neither next to this program nor in ../%s; install it there", PRELOAD_NAME,
                  USWAP_LIBDIR);
        return -ENOENT;
    }
    if (strpbrk(path, " :")) {
        msg_error("%s: a space or colon in the path, which LD_PRELOAD cannot take; move it", path);
        return -EINVAL;
    }
    fmt_write(value, sizeof(value), "%s%s%s", path, others ? ":" : "", others ? others : "");
    return setenv("LD_PRELOAD", value, 1) ? -ENOMEM : 0;
}

/* ---- the command ---- */

/*
 * The budget: a pool that was named; the one that this process is in already, if it says nothing
 * else; or one for the tree that starts here.
 */
static int prepare_budget(const struct run_options *given, struct uswap_options *effective)
{
    char text[JOIN_TEXT_MAX], name[8], share[16], ram[16];
    int error;

    if (given->engine.pool)
        return pool_check(given->engine.pool);
    if (effective->pool && !given->engine.ram)
        return *effective->pool == '@' ? 0 : pool_check(effective->pool);
    if (!effective->ram)
        effective->ram = config_default_ram();
    if (given->share > effective->ram / 2) {
        msg_error("--min-per-process %s is more than half of the RAM budget of %s",
                  size_format(given->share, share), size_format(effective->ram, ram));
        return -EINVAL;
    }
    error = join_found_tree(effective->ram,
                            given->share ? given->share : pool_file_default_share(effective->ram),
                            text);
    if (!error)
        return setenv("USWAP_POOL", text, 1) ? -ENOMEM : 0;
    msg_error("no memory file for the budget can be made (%s)", fmt_errno(error, name));
    return error;
}

static int prepare(const struct run_options *given)
{
    struct uswap_options effective;
    int error = export_options(&given->engine);

    error = error ? error : export_children();
    error = error ? error : claim(CONFIG_STATS_PID, given->engine.stats_path);
    error = error ? error : claim(CONFIG_TRACE_PID, given->engine.trace_path);
    error = error ? error : uswap_options_from_env(&effective);
    error = error ? error : prepare_budget(given, &effective);
    error = error ? error : check_file("--trace", effective.trace_path, "");
    effective.pool = NULL; /* is in the environment, as is the file of the trace */
    effective.trace_path = NULL;
    error = error ? error : export_options(&effective);
    error = error ? error : check_kernel();
    error = error ? error : check_stores(&effective);
    error = error ? error : check_file("--stats", effective.stats_path, ", or - for a summary");
    error = error ? error : check_file("--log", effective.log_path, "");
    return error ? error : export_preload();
}

static int check_given(const struct run_options *given)
{
    if (!given->engine.pool || (!given->engine.ram && !given->share))
        return 0;
    msg_error("--pool %s: a pool has its own size; leave out --ram and --min-per-process",
              given->engine.pool);
    return -EINVAL;
}

static int become(char **program)
{
    const char *unswapped = program_unswapped(program[0]);
    int error;

    if (unswapped)
        msg_warning("%s %s: it runs without uswap, beyond the RAM budget", program[0], unswapped);
    execvp(program[0], program);
    error = errno;
    msg_error("%s: cannot be run: %s", program[0], strerror(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

static int run(const struct command *command, char **arguments)
{
    struct run_options given = {.share = 0};
    int status;

    uswap_options_init(&given.engine);
    if (!command_parse(command, arguments, &given, &arguments, &status))
        return status;
    if (!*arguments) {
        msg_error("run: no program is given; see uswap run --help");
        return EXIT_USAGE;
    }
    return check_given(&given) || prepare(&given) ? EXIT_USAGE : become(arguments);
}

const struct command command_run = {
    "run",
    "[--] PROGRAM [ARG...]",
    "Run a program within a RAM budget; what does not fit is swapped",
    "\nSIZE takes K, M, G, T, and % of what is available. The same options can be given as "
    "USWAP_RAM, USWAP_POOL, USWAP_SWAP (stores separated by commas), USWAP_MMAP, USWAP_COMPRESS, "
    "USWAP_STATS, USWAP_TRACE, USWAP_CHILDREN and USWAP_LOG_FILE in the environment; "
    "USWAP_LOG=error, warning, info or debug chooses the messages.\n"
    "Exit code: the program's; 2 when it was not started, 126 or 127 when it cannot be run.\n",
    options,
    run,
};
