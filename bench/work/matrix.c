/* SPDX-License-Identifier: MIT */
/*
 * C = A * B of square matrices of doubles from malloc, in rows, the three as large as the set. One
 * operation is a tile of C: of one element, each a row of A times a column of B, for the naive
 * case; of TILE * TILE, made from tiles of A and B, for the blocked one. Tiles are made in the
 * order of rows, as many as the time allows.
 *
 * Elements of A and B are whole numbers that follow from the seed and their place, so small that
 * all sums are exact. Every tile is checked: tile * x == rows of A * (columns of B * x), in whole
 * numbers modulo 2^64, with a vector x of odd numbers at random (Freivalds), from numbers made anew
 * and none that was read.
 */
#include "base/base.h"
#include "base/clock.h"
#include "cases.h"
#include "measure.h"
#include "random.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define TILE         64
#define ELEMENT_BITS 18 /* so that sums of SIDE_MOST products are exact in 53 bits */
#define SIDE_MOST    (1 << 17)

static_assert(2 * ELEMENT_BITS + 17 <= 53, "sums are exact");

static struct {
    uint64_t side; /* a multiple of TILE */
    double *a, *b, *c;
    uint64_t *folded; /* columns of B * x: of each row of B */
} matrix;

static uint64_t element(uint64_t of, uint64_t row, uint64_t column)
{
    return mix(options.seed * 2 + of + mix(row << 32 | column)) >> (64 - ELEMENT_BITS);
}

static double *make(uint64_t of)
{
    uint64_t side = matrix.side;
    double *memory = malloc(side * side * sizeof(double));

    if (!memory)
        die("matrix: malloc has no %" PRIu64 " bytes", side * side * sizeof(double));
    for (uint64_t row = 0; row < side; row++)
        for (uint64_t column = 0; column < side; column++)
            memory[row * side + column] = of == 2 ? 0 : (double)element(of, row, column);
    return memory;
}

/* Once, by the first case. */
static void make_all(void)
{
    if (matrix.side)
        return;
    matrix.side = (uint64_t)sqrt((double)options.size / 3 / sizeof(double)) / TILE * TILE;
    if (matrix.side > SIDE_MOST)
        die("matrix: with rows of %" PRIu64 " elements sums are not exact", matrix.side);
    matrix.a = make(0);
    matrix.b = make(1);
    matrix.c = make(2);
    matrix.folded = malloc(matrix.side * sizeof(*matrix.folded));
    if (!matrix.folded)
        die("matrix: malloc has no memory for %" PRIu64 " sums", matrix.side);
}

/* ---- making a tile ---- */

static void naive_element(uint64_t row, uint64_t column)
{
    uint64_t side = matrix.side;
    double sum = 0;

    for (uint64_t k = 0; k < side; k++)
        sum += matrix.a[row * side + k] * matrix.b[k * side + column];
    matrix.c[row * side + column] = sum;
}

/* One tile of A times one of B. */
static void add_product(double sums[TILE][TILE], const double *a, const double *b)
{
    for (unsigned row = 0; row < TILE; row++)
        for (unsigned k = 0; k < TILE; k++) {
            double factor = a[row * matrix.side + k];

            for (unsigned column = 0; column < TILE; column++)
                sums[row][column] += factor * b[k * matrix.side + column];
        }
}

static void blocked_tile(uint64_t row, uint64_t column)
{
    double sums[TILE][TILE] = {0};

    for (uint64_t k = 0; k < matrix.side; k += TILE)
        add_product(sums, matrix.a + row * matrix.side + k, matrix.b + k * matrix.side + column);
    for (unsigned i = 0; i < TILE; i++)
        for (unsigned j = 0; j < TILE; j++)
            matrix.c[(row + i) * matrix.side + column + j] = sums[i][j];
}

/* ---- checking it ---- */

static inline uint64_t factor_of(uint64_t column)
{
    return mix(column + 1) | 1;
}

static void tile_check(uint64_t row, uint64_t column, unsigned tile)
{
    for (uint64_t k = 0; k < matrix.side; k++) {
        matrix.folded[k] = 0;
        for (unsigned j = 0; j < tile; j++)
            matrix.folded[k] += element(1, k, column + j) * factor_of(j);
    }
    for (unsigned i = 0; i < tile; i++) {
        uint64_t should = 0, is = 0;

        for (uint64_t k = 0; k < matrix.side; k++)
            should += element(0, row + i, k) * matrix.folded[k];
        for (unsigned j = 0; j < tile; j++)
            is += (uint64_t)matrix.c[(row + i) * matrix.side + column + j] * factor_of(j);
        if (should != is)
            die("matrix: row %" PRIu64 " is wrong in columns %" PRIu64 " to %" PRIu64
                " (seed %" PRIu64 ")",
                row + i, column, column + tile - 1, options.seed);
    }
}

/* Whatever time checking takes is not measured. */
static void run(const char *name, void (*make_tile)(uint64_t row, uint64_t column), unsigned tile)
{
    struct measure *measure = measure_make(1);
    uint64_t second = (uint64_t)(options.seconds * 1e9), row = 0, column = 0, now = 0;

    make_all();
    measure->measure_ns = second / 4;
    while (now < measure->measure_ns + second || !measure->ops) {
        uint64_t start = clock_now_ns(), took;

        make_tile(row, column);
        took = clock_now_ns() - start;
        measure_add(measure, now, now + took);
        now += took;
        tile_check(row, column, tile);
        column = (column + tile) % matrix.side;
        row = column ? row : (row + tile) % matrix.side;
    }
    measure_print(name, measure, 1, tile * tile * sizeof(double));
    measure_free(measure, 1);
}

static void case_naive(const char *name)
{
    run(name, naive_element, 1);
}

static void case_blocked(const char *name)
{
    run(name, blocked_tile, TILE);
}

int main(int argc, char **argv)
{
    static const struct named_case cases[] = {
        {"matrix-naive", case_naive},
        {"matrix-blocked", case_blocked},
    };

    cases_main(argc, argv, cases, array_size(cases));
    return 0;
}
