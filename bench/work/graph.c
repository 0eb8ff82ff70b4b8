/* SPDX-License-Identifier: MIT */
/*
 * Breadth-first search and PageRank on a Kronecker graph (0.57, 0.19, 0.19, 0.05, as Graph500 has
 * it), with arrays from malloc that have the size of the set together.
 *
 * The graph follows from the seed, vertex by vertex: the expected out-degree of a vertex and the
 * targets of its edges follow from the bits of its number, so that it is written in the order of
 * its arrays and needs nothing to sort. Labels are spread, so that well-connected vertices are no
 * neighbours.
 *
 * Both check their result, and print a sum over all of it, which must be the same in every run. The
 * search goes over the vertices of a level in the order of their labels.
 */
#include "base/base.h"
#include "base/clock.h"
#include "cases.h"
#include "measure.h"
#include "random.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VERTEX_BYTES 20  /* beside its edges: where they begin, level, two ranks */
#define VERTEX_SET   128 /* bytes of the set for each vertex, up to twice as many: 27 to 59 edges */
#define PASSES       4   /* of PageRank over all edges */
#define DAMPING      0.85
#define RANKS_OFF    1e-3 /* that ranks may be away from 1 together, for they are floats */
#define UNREACHED    UINT32_MAX

/* Of an edge, in 1/65536: that a bit of the source is not set; that the bit of the target is not
 * set either, when that of the source is not, and when it is. */
#define SOURCE_ZERO 49807 /* 0.57 + 0.19 */
#define TARGET_ZERO 49152 /* 0.57 / 0.76 */
#define TARGET_ONE  51883 /* 0.19 / 0.24 */

static struct {
    unsigned bits;
    uint64_t vertices, edges;
    uint64_t *first; /* of each vertex, and the end of the last */
    uint32_t *targets;
    uint32_t *level;
    float *rank, *next;
    uint64_t *seen; /* a bit for each vertex, while levels are checked */
} graph;

static void *get(uint64_t count, size_t each)
{
    void *memory = malloc(count * each);

    if (!memory)
        die("graph: malloc has no %" PRIu64 " bytes", count * each);
    return memory;
}

/* ---- labels ---- */

#define SPREAD         UINT64_C(0x9e3779b97f4a7c15)
#define SPREAD_INVERSE UINT64_C(0xf1de83e19937733d)

static_assert(SPREAD * SPREAD_INVERSE == 1, "each label stands for one vertex");

static inline uint64_t fold(uint64_t x)
{
    return x ^ x >> (graph.bits + 1) / 2;
}

static inline uint64_t label_of(uint64_t vertex)
{
    return fold(vertex * SPREAD & (graph.vertices - 1));
}

static inline uint64_t vertex_of(uint64_t label)
{
    return fold(label) * SPREAD_INVERSE & (graph.vertices - 1);
}

/* ---- making it ---- */

/* The expected number, rounded up or down at random. */
static uint64_t draw_degree(uint64_t vertex, uint64_t edges, uint64_t *random)
{
    unsigned ones = (unsigned)__builtin_popcountll(vertex);
    double zero = SOURCE_ZERO / 65536.0;
    double expected = (double)edges * pow(zero, graph.bits - ones) * pow(1 - zero, ones);

    return (uint64_t)(expected + random_unit(random));
}

static uint32_t draw_target(uint64_t vertex, uint64_t *random)
{
    uint64_t target = 0, draw = 0;

    for (unsigned bit = 0; bit < graph.bits; bit++, draw >>= 16) {
        if (bit % 4 == 0)
            draw = random_next(random);
        if ((draw & 0xffff) >= (vertex >> bit & 1 ? TARGET_ONE : TARGET_ZERO))
            target |= UINT64_C(1) << bit;
    }
    return (uint32_t)label_of(target);
}

static void make_edges(uint64_t edges, uint64_t most)
{
    uint64_t random = options.seed;

    for (uint64_t label = 0; label < graph.vertices; label++) {
        uint64_t vertex = vertex_of(label);
        uint64_t degree = min_u64(draw_degree(vertex, edges, &random), most - graph.edges);

        graph.first[label] = graph.edges;
        for (uint64_t i = 0; i < degree; i++)
            graph.targets[graph.edges++] = draw_target(vertex, &random);
    }
    graph.first[graph.vertices] = graph.edges;
}

/* Once, by the first case. */
static void make_graph(void)
{
    uint64_t most;

    if (graph.vertices)
        return;
    graph.bits = 63 - (unsigned)__builtin_clzll(options.size / VERTEX_SET);
    graph.vertices = UINT64_C(1) << graph.bits;
    if (graph.bits > 31)
        die("graph: labels have 32 bits, and a set of %" PRIu64 " bytes needs more", options.size);
    most = (options.size - graph.vertices * VERTEX_BYTES) / sizeof(*graph.targets);
    graph.first = get(graph.vertices + 1, sizeof(*graph.first));
    graph.targets = get(most, sizeof(*graph.targets));
    graph.level = get(graph.vertices, sizeof(*graph.level));
    graph.rank = get(graph.vertices, sizeof(*graph.rank));
    graph.next = get(graph.vertices, sizeof(*graph.next));
    make_edges(most - most / 64, most);
}

static inline uint64_t sum_add(uint64_t sum, uint64_t value)
{
    return mix(sum * 31 + value);
}

/* ---- breadth-first search ---- */

/* The number of vertices that were found. */
static uint64_t search_level(uint32_t depth)
{
    uint64_t found = 0;

    for (uint64_t v = 0; v < graph.vertices; v++) {
        if (graph.level[v] != depth)
            continue;
        for (uint64_t e = graph.first[v]; e < graph.first[v + 1]; e++)
            if (graph.level[graph.targets[e]] == UNREACHED) {
                graph.level[graph.targets[e]] = depth + 1;
                found++;
            }
    }
    return found;
}

static void see_edges(uint64_t vertex)
{
    uint32_t level = graph.level[vertex];

    for (uint64_t e = graph.first[vertex]; e < graph.first[vertex + 1]; e++) {
        uint32_t target = graph.targets[e];

        if (graph.level[target] > level + 1)
            die("graph: an edge from vertex %" PRIu64 " was not followed", vertex);
        if (graph.level[target] == level + 1)
            graph.seen[target / 64] |= UINT64_C(1) << target % 64;
    }
}

/* No edge leads down by more than a level, and to each vertex but the source one leads from the
 * level above. */
static uint64_t check_levels(uint64_t source)
{
    uint64_t sum = 0;

    graph.seen = calloc(graph.vertices / 64 + 1, sizeof(*graph.seen));
    if (!graph.seen)
        die("graph: malloc has no bit for each vertex");
    graph.seen[source / 64] |= UINT64_C(1) << source % 64;
    for (uint64_t v = 0; v < graph.vertices; v++)
        if (graph.level[v] != UNREACHED)
            see_edges(v);
    for (uint64_t v = 0; v < graph.vertices; v++) {
        if ((graph.level[v] != UNREACHED) != (graph.seen[v / 64] >> v % 64 & 1))
            die("graph: no edge leads to vertex %" PRIu64 " of level %" PRIu32, v, graph.level[v]);
        sum = sum_add(sum, graph.level[v]);
    }
    free(graph.seen);
    return sum;
}

static void case_bfs(const char *name)
{
    uint64_t source, start, reached = 1, found, ns;
    uint32_t depth = 0;

    make_graph();
    source = label_of(0); /* the one with most edges */
    start = clock_now_ns();
    memset(graph.level, 0xff, graph.vertices * sizeof(*graph.level));
    graph.level[source] = 0;
    while ((found = search_level(depth++)) > 0)
        reached += found;
    ns = clock_now_ns() - start;
    if (reached < graph.vertices / 8)
        die("graph: only %" PRIu64 " of %" PRIu64 " vertices reached", reached, graph.vertices);
    measure_print_run(name, ns, graph.edges * sizeof(*graph.targets), check_levels(source));
}

/* ---- PageRank ---- */

/* What vertices without edges have goes to all. */
static void rank_pass(void)
{
    double count = (double)graph.vertices, loose = 0, each;

    memset(graph.next, 0, graph.vertices * sizeof(*graph.next));
    for (uint64_t v = 0; v < graph.vertices; v++) {
        uint64_t first = graph.first[v], end = graph.first[v + 1];
        double share = first < end ? (double)graph.rank[v] / (double)(end - first) : 0;

        if (first == end)
            loose += (double)graph.rank[v];
        for (uint64_t e = first; e < end; e++)
            graph.next[graph.targets[e]] += (float)share;
    }
    each = (1 - DAMPING + DAMPING * loose) / count;
    for (uint64_t v = 0; v < graph.vertices; v++)
        graph.rank[v] = (float)(each + DAMPING * (double)graph.next[v]);
}

static uint64_t check_ranks(void)
{
    double total = 0;
    uint64_t sum = 0;
    uint32_t bits;

    for (uint64_t v = 0; v < graph.vertices; v++) {
        total += (double)graph.rank[v];
        memcpy(&bits, &graph.rank[v], sizeof(bits));
        sum = sum_add(sum, bits);
    }
    if (!(fabs(total - 1) < RANKS_OFF))
        die("graph: the ranks are %.6f together, not 1", total);
    return sum;
}

static void case_pagerank(const char *name)
{
    uint64_t start, ns;

    make_graph();
    start = clock_now_ns();
    for (uint64_t v = 0; v < graph.vertices; v++)
        graph.rank[v] = 1 / (float)graph.vertices;
    for (unsigned pass = 0; pass < PASSES; pass++)
        rank_pass();
    ns = clock_now_ns() - start;
    measure_print_run(name, ns, PASSES * graph.edges * sizeof(*graph.targets), check_ranks());
}

int main(int argc, char **argv)
{
    static const struct named_case cases[] = {{"bfs", case_bfs}, {"pagerank", case_pagerank}};

    cases_main(argc, argv, cases, array_size(cases));
    return 0;
}
