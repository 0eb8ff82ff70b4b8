#!/bin/bash
# SPDX-License-Identifier: MIT
# The static tracepoints are in the libraries, where bpftrace and perf look for them.
#
#     test_tracepoints.sh BUILD-DIRECTORY
. "$(dirname "$0")/lib.sh"
echo "#include <sys/sdt.h>" | ${CC:-cc} -E - >/dev/null 2>&1 || skip "sys/sdt.h is not installed"
command -v readelf >/dev/null || skip 'readelf is not installed'

for library in libuswap.so libuswap-preload.so; do
    readelf -n "$1/$library" >"$work/notes" 2>/dev/null
    expect "$library has .note.stapsdt" grep -q stapsdt "$work/notes"
    awk '/Provider:/ { provider = $2 } /Name:/ && provider == "uswap" { print $2 }' "$work/notes" | sort -u >"$work/names"
    for name in fault ahead mask evict drop discard read write map unmap fork budget; do
        expect "$library: uswap:$name" grep -qx "$name" "$work/names"
    done
    expect "$library: no others" [ "$(wc -l <"$work/names")" -eq 12 ]
    expect "$library: each with three arguments" \
        [ "$(awk '/Provider: uswap/ { ours = 1 } /Arguments:/ && ours { print NF - 1; ours = 0 }' "$work/notes" | sort -u)" = 3 ]
done
finish
