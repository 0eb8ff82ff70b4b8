// SPDX-License-Identifier: MIT
// C++ containers in swapped memory, as a std::pmr::memory_resource or as an allocator of the
// standard library's kind. For memory from malloc no code is needed: run the program under `uswap
// run`.
//
// uswap_start() comes first. Both throw std::bad_alloc when budget and stores cannot hold more.
// Both map whole regions: give them large blocks, or put a pool between, as memory.cpp does.
#ifndef USWAP_MEMORY_HPP
#define USWAP_MEMORY_HPP

#include <cstddef>
#include <limits>
#include <memory_resource>
#include <new>
#include <uswap/uswap.h>

namespace uswap
{

inline void *map(std::size_t size, std::size_t align)
{
    uswap_map_options options{};
    void *address = nullptr;

    options.align = align > 4096 ? align : 0;
    if (uswap_map(size ? size : 1, &options, &address) != 0)
        throw std::bad_alloc();
    return address;
}

class memory_resource : public std::pmr::memory_resource
{
    void *do_allocate(std::size_t size, std::size_t align) override
    {
        return map(size, align);
    }
    void do_deallocate(void *address, std::size_t size, std::size_t) override
    {
        uswap_unmap(address, size ? size : 1);
    }
    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
        return dynamic_cast<const memory_resource *>(&other) != nullptr;
    }
};

template <class T> struct allocator {
    using value_type = T;

    allocator() = default;
    template <class U> allocator(const allocator<U> &) noexcept
    {
    }
    T *allocate(std::size_t count)
    {
        if (count > std::numeric_limits<std::size_t>::max() / sizeof(T))
            throw std::bad_array_new_length();
        return static_cast<T *>(map(count * sizeof(T), alignof(T)));
    }
    void deallocate(T *address, std::size_t count) noexcept
    {
        uswap_unmap(address, count ? count * sizeof(T) : 1);
    }
    template <class U> bool operator==(const allocator<U> &) const noexcept
    {
        return true;
    }
    template <class U> bool operator!=(const allocator<U> &) const noexcept
    {
        return false;
    }
};

} // namespace uswap

#endif
