// SPDX-License-Identifier: MIT
// new and delete in all their forms, containers larger than the budget, and bad_alloc.
#include "heap_test.h"

#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

struct alignas(256) Wide {
    char bytes[300];
};

static void forms()
{
    for (int i = 0; i < 1000; i++) {
        std::unique_ptr<int> one(new int(i));
        std::unique_ptr<Wide> wide(new Wide);
        std::unique_ptr<Wide[]> wides(new Wide[3]);
        CHECK(*one == i);
        CHECK(reinterpret_cast<std::uintptr_t>(wide.get()) % 256 == 0);
        CHECK(reinterpret_cast<std::uintptr_t>(wides.get()) % 256 == 0);
    }
    /* Not a constant: clang refuses to compile what cannot succeed. */
    volatile std::size_t huge = std::size_t(1) << 62;
    CHECK(new (std::nothrow) char[huge] == nullptr);
    bool thrown = false;
    try {
        std::vector<char> vector(huge);
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    CHECK(thrown);
}

static void containers()
{
    std::map<int, std::string> map;
    std::vector<std::vector<int>> rows;

    for (int i = 0; i < 200000; i++)
        map[i] = "a string that does not fit into the object itself " + std::to_string(i);
    for (int i = 0; i < 2000; i++)
        rows.emplace_back(5000, i);
    for (int i = 0; i < 200000; i += 7)
        CHECK(map.at(i).substr(50) == std::to_string(i));
    for (int i = 0; i < 2000; i++)
        CHECK(rows[i].front() == i && rows[i].back() == i);
}

int main()
{
    forms();
    std::thread other(forms);
    containers();
    other.join();
    check_swapped();
    return 0;
}
