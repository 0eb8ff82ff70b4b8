#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A table larger than its RAM budget, from Python by ctypes.

    USWAP_RAM=16M python3 table.py

What Python itself takes from malloc needs no code: uswap run --ram SIZE -- python3 ...
"""
import ctypes
import sys

uswap = ctypes.CDLL("libuswap.so.0")
uswap.uswap_map.argtypes = [ctypes.c_size_t, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)]
uswap.uswap_unmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

SIZE = 64 << 20


def check(what, error):
    if error:
        sys.exit(f"{what}: error {-error}")


check("uswap_start", uswap.uswap_start(None))
address = ctypes.c_void_p()
check("uswap_map", uswap.uswap_map(SIZE, None, ctypes.byref(address)))

# A memoryview of the region: slices of it are read and written without a copy.
table = memoryview((ctypes.c_ubyte * SIZE).from_address(address.value)).cast("B")
for page in range(0, SIZE, 4096):
    table[page : page + 8] = page.to_bytes(8, "little")
wrong = sum(
    int.from_bytes(table[page : page + 8], "little") != page for page in range(0, SIZE, 4096)
)
table.release()
check("uswap_unmap", uswap.uswap_unmap(address, SIZE))
check("uswap_write_stats", uswap.uswap_write_stats(b"-"))
print(f"{SIZE >> 20} MiB written and read, {wrong} pages wrong")
sys.exit(wrong != 0)
