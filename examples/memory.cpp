// SPDX-License-Identifier: MIT
// A map of many small nodes and a large vector in swapped memory, with a budget that holds neither.
//
//     USWAP_RAM=32M ./memory
#include "uswap_memory.hpp"

#include <cstdint>
#include <cstdio>
#include <map>
#include <vector>

int main()
{
    if (uswap_start(nullptr) != 0)
        return 2;

    // Nodes come from a pool, which takes large blocks from regions.
    uswap::memory_resource regions;
    std::pmr::unsynchronized_pool_resource pool({0, 4096}, &regions);
    std::pmr::map<std::uint64_t, std::uint64_t> squares(&pool);
    std::vector<std::uint64_t, uswap::allocator<std::uint64_t>> table(8 << 20);

    for (std::uint64_t i = 0; i < table.size(); i++)
        table[i] = i * i;
    for (std::uint64_t i = 0; i < 500000; i++)
        squares.emplace(i, i * i);
    for (const auto &[number, square] : squares)
        if (square != table[number]) {
            std::printf("%lu is not the square of %lu\n", (unsigned long)square,
                        (unsigned long)number);
            return 1;
        }

    uswap_stats stats;
    uswap_get_stats(&stats, sizeof(stats));
    std::printf("%zu squares are right; budget %lu MiB, %lu objects were swapped out\n",
                squares.size(), (unsigned long)(stats.ram_budget_bytes >> 20),
                (unsigned long)stats.objects_evicted);
    return 0;
}
