/* SPDX-License-Identifier: MIT */
/* uswap set: change what can be changed of a running process. */
#include "arena/config.h"
#include "ask.h"
#include "base/msg.h"
#include "command.h"

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
    {"--wait", "SECONDS", "how long the process may be silent; default: 10", read_wait},
    {0},
};

static int set_budget(const char *pid_text, uint64_t ram, unsigned ms)
{
    pid_t pid = peer_parse_pid(pid_text);
    struct peer peer;
    char text[128];
    bool done;
    int error;

    if (pid < 0) {
        msg_error("%s: not the number of a process; see uswap ps", pid_text);
        return EXIT_USAGE;
    }
    error = peer_open(pid, &peer);
    if (error) {
        peer_explain(pid_text, error);
        return EXIT_FAILURE;
    }
    done = ask_for_budget(&peer, ram, ms, text, sizeof(text));
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
    int status;

    if (!command_parse(command, arguments, &ms, &arguments, &status))
        return status;
    if (!arguments[0] || !arguments[1] || arguments[2] || strncmp(arguments[1], "ram=", 4) != 0) {
        msg_error("set: give a process and its new budget, as in uswap set 1234 ram=2G");
        return EXIT_USAGE;
    }
    uswap_options_init(&given);
    if (config_read_ram("ram=", arguments[1] + 4, &given))
        return EXIT_USAGE;
    return set_budget(arguments[0], given.ram, ms);
}

const struct command command_set = {
    "set",
    "PID ram=SIZE",
    "Change the RAM budget of a running process",
    "\nOnly the owner of the process and root may. A smaller budget has been reached when the\n"
    "command ends; a stopped process is left as it is.\n"
    "Exit code: 0 done; 1 not done; 2 wrong arguments.\n",
    options,
    run_set,
};
