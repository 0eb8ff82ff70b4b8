/* SPDX-License-Identifier: MIT */
/* uswap ps: who runs under uswap. */
#include "base/size.h"
#include "command.h"
#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int read_flag(const char *label, const char *value, void *target)
{
    *(bool *)target = true;
    return 0;
}

static const struct option options[] = {
    {"--json", NULL, "an array of objects with all there is to know", read_flag},
    {0},
};

static void print_json(const struct peer *list, unsigned count)
{
    printf("[");
    for (unsigned i = 0; i < count; i++) {
        printf("%s\n", i ? "," : "");
        print_json_peer(&list[i]);
    }
    printf("\n]\n");
}

/* How much of the command fits into a line of a terminal; all of it elsewhere. */
static int command_width(int used)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col)
        return 1000;
    return size.ws_col > used + 8 ? size.ws_col - used : 8;
}

static void print_row(const struct peer *peer)
{
    char budget[16], resident[16], swapped[16];
    int used =
        printf("%7d %-8.8s %-8.8s %7s %8s %7s %8lu ", (int)peer->pid, peer_user(peer),
               peer_pool(peer), size_format(peer->now->gauges.limit, budget),
               size_format(peer_resident(peer), resident), size_format(peer_swapped(peer), swapped),
               (unsigned long)peer_own_rate(peer, STAT_FAULTS_MAJOR));

    printf("%.*s\n", command_width(used), peer->command);
}

static int run_ps(const struct command *command, char **arguments)
{
    bool json = false;
    struct peer *list;
    unsigned count;
    int status;

    if (!command_parse(command, arguments, &json, &arguments, &status))
        return status;
    if (!command_no_operands(command, arguments))
        return EXIT_USAGE;
    list = peer_list(&count);
    if (json) {
        print_json(list, count);
    } else {
        printf("%7s %-8s %-8s %7s %8s %7s %8s %s\n", "PID", "USER", "POOL", "BUDGET", "RESIDENT",
               "SWAPPED", "READS/s", "COMMAND");
        for (unsigned i = 0; i < count; i++)
            print_row(&list[i]);
    }
    peer_close_all(list, count);
    return EXIT_SUCCESS;
}

const struct command command_ps = {
    "ps",
    "",
    "List the processes that run under uswap",
    "\nThose of other users are listed for root only. Processes with the same POOL share one "
    "BUDGET; "
    "that of a tree of processes has the number of the first one. READS/s are the page faults of "
    "the last "
    "second that had to read from a store, or from compressed RAM.\n",
    options,
    run_ps,
};
