/* SPDX-License-Identifier: MIT */
/* uswap set: change what can be changed of a running process, or of a pool. */
#include "arena/config.h"
#include "ask.h"
#include "base/msg.h"
#include "base/size.h"
#include "command.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long the process may take to answer, or to give up more memory. */
#define WAIT_MS 10000

static int read_wait(const char *label, const char *value, void *target)
{
    double seconds;
    int error = command_read_seconds(label, value, (const double[]){0, 86400}, &seconds);

    if (!error)
        *(unsigned *)target = (unsigned)(seconds * 1000);
    return error;
}

static const struct option options[] = {
    {"--wait", "SECONDS", "how long there may be no answer; default: 10", read_wait},
    {0},
};

static int set_pool(const char *name, uint64_t ram, unsigned ms)
{
    int status = pool_set_ram(name, ram, ms);
    char size[16];

    if (!status)
        printf("pool %s: the budget is %s\n", name, size_format(ram, size));
    return status;
}

struct smaller {
    const struct peer *peer;
    uint64_t ram;
};

static uint64_t has_to_leave(const void *target)
{
    const struct smaller *smaller = target;
    uint64_t resident = peer_resident_now(smaller->peer);

    return resident > smaller->ram ? resident - smaller->ram : 0;
}

static bool set_budget(const struct peer *peer, uint64_t ram, unsigned ms, char text[128])
{
    const struct smaller smaller = {peer, ram};
    char what[48];
    bool done;

    snprintf(what, sizeof(what), "%d: memory leaves", (int)peer->pid);
    progress_begin(what, has_to_leave, &smaller);
    done = ask_for_budget(peer, ram, ms, text, 128);
    progress_end();
    return done;
}

static int set_process(pid_t pid, uint64_t ram, unsigned ms)
{
    struct peer peer;
    char text[128];
    bool done;
    int error = peer_open(pid, &peer);

    if (error) {
        snprintf(text, sizeof(text), "%d", (int)pid);
        peer_explain(text, error);
        return EXIT_FAILURE;
    }
    done = set_budget(&peer, ram, ms, text);
    if (done)
        printf("%d: %s\n", (int)pid, text);
    else
        msg_error("%d: %s", (int)pid, text);
    peer_close(&peer);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_set(const struct command *command, char **arguments)
{
    struct uswap_options given;
    unsigned ms = WAIT_MS;
    pid_t pid;
    int status;

    if (!command_parse(command, arguments, &ms, &arguments, &status))
        return status;
    if (!arguments[0] || !arguments[1] || arguments[2] || strncmp(arguments[1], "ram=", 4) != 0) {
        msg_error("set: give a process or pool and its new budget, as in uswap set 1234 ram=2G");
        return EXIT_USAGE;
    }
    uswap_options_init(&given);
    if (config_read_ram("ram=", arguments[1] + 4, &given))
        return EXIT_USAGE;
    pid = peer_parse_pid(arguments[0]);
    return pid < 0 ? set_pool(arguments[0], given.ram, ms) : set_process(pid, given.ram, ms);
}

const struct command command_set = {
    "set",
    "PID|POOL ram=SIZE",
    "Change the RAM budget of a running process, or of a pool",
    "\nA process that shares its budget changes that of all who do (see POOL in uswap ps). Only "
    "the "
    "owner of the process and root may; of a pool, who may join it. A smaller budget "
    "has been reached when the command ends; a stopped process is left as it is.\n"
    "Exit code: 0 done; 1 not done; 2 wrong arguments.\n",
    options,
    run_set,
};
