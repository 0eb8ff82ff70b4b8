/* SPDX-License-Identifier: MIT */
/*
 * Sort more memory than the budget allows: a region is used like any other memory.
 *
 *     gcc -o sort sort.c $(pkg-config --cflags --libs uswap) && ./sort [MB [BUDGET-MB [DIRECTORY]]]
 *
 * Quicksort reads memory from both ends towards the middle, and works longer and longer on less and
 * less: as soon as a part fits in the budget, it is sorted without any swapping.
 */
#include <uswap/uswap.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t fill(uint64_t *numbers, size_t count)
{
    uint64_t random = 88172645463325252u;
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        numbers[i] = random;
        sum += random;
    }
    return sum;
}

static void sort_few(uint64_t *numbers, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t number = numbers[i];
        size_t at = i;
        for (; at > 0 && numbers[at - 1] > number; at--)
            numbers[at] = numbers[at - 1];
        numbers[at] = number;
    }
}

/* Smaller ones to the left, larger ones to the right; returns how many are on the left. */
static size_t divide(uint64_t *numbers, size_t count)
{
    uint64_t middle = numbers[count / 2];
    size_t left = 0, right = count - 1;

    for (;;) {
        while (numbers[left] < middle)
            left++;
        while (numbers[right] > middle)
            right--;
        if (left >= right)
            return right + 1;
        uint64_t swapped = numbers[left];
        numbers[left++] = numbers[right];
        numbers[right--] = swapped;
    }
}

static void sort(uint64_t *numbers, size_t count)
{
    while (count > 16) {
        size_t left = divide(numbers, count);
        sort(numbers, left);
        numbers += left;
        count -= left;
    }
    sort_few(numbers, count);
}

static int check(const uint64_t *numbers, size_t count, uint64_t sum)
{
    sum -= numbers[0];
    for (size_t i = 1; i < count; i++) {
        if (numbers[i - 1] > numbers[i])
            return -1;
        sum -= numbers[i];
    }
    return sum == 0 ? 0 : -1;
}

static int start(uint64_t ram, const char *directory)
{
    struct uswap_options options;

    uswap_options_init(&options);
    options.ram = ram;
    if (directory) {
        options.stores[0].path = directory;
        options.stores_count = 1;
    }
    return uswap_start(&options);
}

int main(int argc, char **argv)
{
    size_t size = (argc > 1 ? strtoull(argv[1], NULL, 10) : 64) << 20;
    uint64_t ram = (argc > 2 ? strtoull(argv[2], NULL, 10) : 16) << 20;
    size_t count = size / sizeof(uint64_t);
    struct uswap_stats stats;
    void *memory;

    int error = start(ram, argc > 3 ? argv[3] : NULL);
    if (!error)
        error = uswap_map(size, NULL, &memory);
    if (error) {
        fprintf(stderr, "sort: %s\n", strerror(-error));
        return 1;
    }
    uint64_t sum = fill(memory, count);
    sort(memory, count);
    if (check(memory, count, sum)) {
        fprintf(stderr, "sort: not sorted\n");
        return 1;
    }
    uswap_get_stats(&stats, sizeof(stats));
    printf("sorted %zu MiB within %" PRIu64 " MiB; %" PRIu64 " MiB written, %" PRIu64 " MiB read\n",
           size >> 20, stats.resident_peak_bytes >> 20, stats.bytes_written >> 20,
           stats.bytes_read >> 20);
    return uswap_unmap(memory, size) ? 1 : 0;
}
