/* SPDX-License-Identifier: MIT */
/*
 * System calls on a region: write() fails on memory that is swapped out, so it is pinned first,
 * piece by piece. Pieces that are saved may leave memory first. Then the budget is halved.
 *
 *     gcc -o save save.c $(pkg-config --cflags --libs uswap) && ./save FILE
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uswap/uswap.h>

#define BUDGET ((uint64_t)32 << 20)
#define SIZE   ((size_t)64 << 20)
#define PIECE  ((size_t)1 << 20)

static void print_message(void *context, enum uswap_level level, const char *line)
{
    dprintf(STDERR_FILENO, "%s: %s\n", (const char *)context, line);
}

static int save_piece(int fd, char *piece)
{
    ssize_t written;

    if (uswap_pin(piece, PIECE))
        return -1;
    written = write(fd, piece, PIECE);
    uswap_unpin(piece, PIECE);
    uswap_advise(piece, PIECE, USWAP_COLD);
    return written == (ssize_t)PIECE ? 0 : -1;
}

static int save(const char *path, char *memory)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int error = fd < 0;

    for (size_t at = 0; at < SIZE && !error; at += PIECE)
        error = save_piece(fd, memory + at);
    return fd < 0 || close(fd) ? -1 : error;
}

int main(int argc, char **argv)
{
    struct uswap_options options;
    void *memory;

    uswap_set_message_handler(print_message, argv[0]);
    if (uswap_options_from_env(&options))
        return EXIT_FAILURE;
    options.ram = BUDGET;
    if (uswap_start(&options) || uswap_map(SIZE, NULL, &memory))
        return EXIT_FAILURE;

    memset(memory, 'x', SIZE);
    if (save(argc > 1 ? argv[1] : "/dev/null", memory)) {
        perror("save");
        return EXIT_FAILURE;
    }
    return uswap_set_budget(BUDGET / 2) ? EXIT_FAILURE : EXIT_SUCCESS;
}
