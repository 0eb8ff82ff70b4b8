/* SPDX-License-Identifier: MIT */
/*
 * A client of redis-server, by a Unix socket: it sets as many keys as make the set, then gets and
 * sets by Zipf's law over several connections, one command at a time each, and reads every key at
 * the end. The server is what is measured, and has the limit; this program has none.
 *
 * A value follows from the seed, its key and how often it has been set; every one that comes is
 * compared. Connections share no key: connection c of n has the keys k with k % n == c.
 */
#include "base/base.h"
#include "base/clock.h"
#include "cases.h"
#include "measure.h"
#include "random.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS  4
#define VALUE_WORDS  125
#define VALUE_BYTES  1000
#define KEY_BYTES    116 /* that the server needs for a key beside its value, about */
#define SETS         10  /* percent; the others are gets */
#define BATCH        64  /* commands on their way at a time while keys are set and checked */
#define WARM         2   /* times the seconds */
#define COMMAND_MOST 64  /* of a command but the value */
#define PATIENCE     30  /* seconds for a server that begins, or answers */

static_assert(VALUE_WORDS * sizeof(uint64_t) == VALUE_BYTES, "a value is whole words");

static const char value_begin[] = "$1000\r\n"; /* VALUE_BYTES */
static const char set_answer[] = "+OK\r\n";

struct connection {
    int fd;
    unsigned number;
    uint64_t random;
    struct measure *measure;
    char out[BATCH * (COMMAND_MOST + VALUE_BYTES)];
    size_t length; /* of what is to be sent */
};

static struct {
    uint64_t keys;    /* a multiple of the connections */
    uint32_t *set;    /* how often each key has been set */
    struct zipf zipf; /* over the keys of a connection */
    struct connection connections[CONNECTIONS];
} client;

/* ---- the wire ---- */

static void connect_server(struct connection *connection)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE};
    uint64_t last = clock_now_ns() + PATIENCE * UINT64_C(1000000000);

    if (!options.socket || strlen(options.socket) >= sizeof(address.sun_path))
        die("redis: --socket names no socket");
    strcpy(address.sun_path, options.socket);
    connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (clock_now_ns() > last)
            die("redis: no server at %s: %s", options.socket, strerror(errno));
        usleep(20000);
    }
    setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void send_out(struct connection *connection)
{
    for (size_t done = 0; done < connection->length;) {
        ssize_t n =
            send(connection->fd, connection->out + done, connection->length - done, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            die("redis: cannot send: %s", strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
    connection->length = 0;
}

/* So many bytes that begin with these; an error of the server is shorter, or begins otherwise. */
static void receive(struct connection *connection, char *into, size_t size, const char *begin)
{
    size_t compared = strlen(begin);

    for (size_t done = 0; done < size;) {
        ssize_t n = recv(connection->fd, into + done, size - done, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("redis: no answer: %s", n ? strerror(errno) : "the server has closed");
        done += (size_t)n;
        if (memcmp(into, begin, min_u64(done, compared)) != 0)
            die("redis: the answer is %.*s", (int)min_u64(done, 60), into);
    }
}

/* ---- commands and their answers ---- */

static uint64_t value_word(uint64_t key, uint64_t i)
{
    uint64_t tag = mix(options.seed ^ mix(key << 32 | client.set[key]));
    uint64_t x = (tag + i) * 0x9e3779b97f4a7c15u;

    return x ^ (x >> 32);
}

static void add(struct connection *connection, const void *bytes, size_t size)
{
    memcpy(connection->out + connection->length, bytes, size);
    connection->length += size;
}

static void ask_get(struct connection *connection, uint64_t key)
{
    char text[COMMAND_MOST];

    add(connection, text,
        (size_t)snprintf(text, sizeof(text), "*2\r\n$3\r\nGET\r\n$12\r\n%012" PRIu64 "\r\n", key));
}

static void ask_set(struct connection *connection, uint64_t key)
{
    char text[COMMAND_MOST];
    uint64_t value[VALUE_WORDS];

    client.set[key]++;
    for (uint64_t i = 0; i < VALUE_WORDS; i++)
        value[i] = value_word(key, i);
    add(connection, text,
        (size_t)snprintf(text, sizeof(text), "*3\r\n$3\r\nSET\r\n$12\r\n%012" PRIu64 "\r\n%s", key,
                         value_begin));
    add(connection, value, sizeof(value));
    add(connection, "\r\n", 2);
}

static void answer_set(struct connection *connection, uint64_t key)
{
    char answer[sizeof(set_answer) - 1];

    receive(connection, answer, sizeof(answer), set_answer);
}

static void answer_get(struct connection *connection, uint64_t key)
{
    const size_t begin = sizeof(value_begin) - 1;
    char answer[sizeof(value_begin) - 1 + VALUE_BYTES + 2];
    uint64_t value[VALUE_WORDS], wrong = 0;

    receive(connection, answer, sizeof(answer), value_begin);
    memcpy(value, answer + begin, sizeof(value));
    for (uint64_t i = 0; i < VALUE_WORDS; i++)
        wrong |= value[i] ^ value_word(key, i);
    if (wrong)
        die("redis: key %" PRIu64 " of set %" PRIu32 " (seed %" PRIu64 ") has a wrong value", key,
            client.set[key], options.seed);
}

/* ---- what a connection does ---- */

/* For all keys of a connection, many commands at a time. */
static void all_keys(struct connection *connection,
                     void (*ask)(struct connection *connection, uint64_t key),
                     void (*answer)(struct connection *connection, uint64_t key))
{
    const uint64_t stride = BATCH * CONNECTIONS;

    for (uint64_t from = connection->number; from < client.keys; from += stride) {
        uint64_t end = min_u64(from + stride, client.keys);

        for (uint64_t key = from; key < end; key += CONNECTIONS)
            ask(connection, key);
        send_out(connection);
        for (uint64_t key = from; key < end; key += CONNECTIONS)
            answer(connection, key);
    }
}

static void *set_keys(void *connection)
{
    all_keys(connection, ask_set, answer_set);
    return NULL;
}

static void *check_keys(void *connection)
{
    all_keys(connection, ask_get, answer_get);
    return NULL;
}

static void one_command(struct connection *connection)
{
    uint64_t key = zipf_next(&client.zipf, &connection->random) * CONNECTIONS + connection->number;
    bool set = random_below(&connection->random, 100) < SETS;

    (set ? ask_set : ask_get)(connection, key);
    send_out(connection);
    (set ? answer_set : answer_get)(connection, key);
}

static void *use_keys(void *argument)
{
    struct connection *connection = argument;
    struct measure *measure = connection->measure;
    uint64_t second = (uint64_t)(options.seconds * 1e9), now = measure->begin_ns;
    uint64_t last = measure->measure_ns + second;

    while (now < last || !measure->ops) {
        uint64_t start = now;

        one_command(connection);
        now = clock_now_ns();
        measure_add(measure, start, now);
    }
    return NULL;
}

static void in_threads(void *(*work)(void *connection))
{
    pthread_t threads[CONNECTIONS];

    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (pthread_create(&threads[i], NULL, work, &client.connections[i]))
            die("redis: cannot start a thread");
    for (unsigned i = 0; i < CONNECTIONS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- the case ---- */

static pid_t server_pid(int fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        die("redis: who serves: %s", strerror(errno));
    return peer.pid;
}

static void set_begin(void)
{
    uint64_t each = options.size / (VALUE_BYTES + KEY_BYTES) / CONNECTIONS;

    client.keys = each * CONNECTIONS;
    client.set = calloc(client.keys, sizeof(*client.set));
    if (!client.set)
        die("redis: malloc has no memory for %" PRIu64 " keys", client.keys);
    zipf_make(&client.zipf, each);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        client.connections[i].number = i;
        client.connections[i].random = mix(options.seed + i);
        connect_server(&client.connections[i]);
    }
}

static void case_redis(const char *name)
{
    struct measure *measures = measure_make(CONNECTIONS);
    uint64_t now;

    set_begin();
    in_threads(set_keys);
    now = clock_now_ns();
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        measures[i].begin_ns = now;
        measures[i].measure_ns = now + WARM * (uint64_t)(options.seconds * 1e9);
        client.connections[i].measure = &measures[i];
    }
    in_threads(use_keys);
    in_threads(check_keys);
    measure_of_process(server_pid(client.connections[0].fd));
    measure_print(name, measures, CONNECTIONS, VALUE_BYTES);
    measure_free(measures, CONNECTIONS);
}

int main(int argc, char **argv)
{
    static const struct named_case cases[] = {{"redis", case_redis}};

    cases_main(argc, argv, cases, array_size(cases));
    return 0;
}
