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
    for name in fault ahead mask evict drop discard read write map unmap fork budget \
        shared_fault shared_read shared_write shared_evict; do
        expect "$library: uswap:$name" grep -qx "$name" "$work/names"
    done
    expect "$library: no others" [ "$(wc -l <"$work/names")" -eq 16 ]
    expect "$library: each with three arguments" \
        [ "$(awk '/Provider: uswap/ { ours = 1 } /Arguments:/ && ours { print NF - 1; ours = 0 }' "$work/notes" | sort -u)" = 3 ]
done

# As in uswap(7). Both tools need root, uprobes in the kernel and tracefs.
library=$1/libuswap-preload.so
swapping=("$USWAP" run --ram 12M --swap "$work/swap:1G" --stats "$work/stats" -- "$TOOLS/workset" 15)
faults() { echo $(($(statistic faults_major "$work/stats") + $(statistic faults_minor "$work/stats"))); }

with_bpftrace() {
    local pid i
    timeout 60 bpftrace -e "BEGIN { printf(\"begun\\n\"); } usdt:$library:uswap:fault { @[arg0] = count(); }" >"$work/log" 2>&1 &
    pid=$!
    for ((i = 0; i < 300; i++)); do
        grep -q '^begun' "$work/log" && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.1
    done
    grep -q '^begun' "$work/log" || { kill $pid 2>/dev/null; echo "not tested: bpftrace cannot use the tracepoints here"; return; }
    "${swapping[@]}" >"$work/out"
    kill -INT $pid
    wait $pid
    expect "bpftrace sees faults that read: $(grep '^@' "$work/log" | tr '\n' ' ')" grep -qE '^@\[3\]: [1-9][0-9]{2}' "$work/log"
}

with_perf() {
    # What perf knows of the library, and the tracepoint, are of the whole machine: nobody else's is touched.
    export HOME=$work
    { perf buildid-cache --add "$library" && perf probe -q -x "$library" sdt_uswap:fault; } >"$work/log" 2>&1 ||
        { echo 'not tested: perf cannot use the tracepoints here'; return; }
    trap 'perf probe -q -d sdt_uswap:fault; rm -rf "$work"' EXIT
    perf record -q -o "$work/perf.data" -e sdt_uswap:fault "${swapping[@]}" >"$work/log" 2>&1
    perf script -i "$work/perf.data" >"$work/script" 2>/dev/null
    expect "perf sees faults that read, of $(faults)" [ "$(grep -c 'sdt_uswap:fault: .* arg1=3 ' "$work/script")" -gt 100 ]
}
with_bpftrace
with_perf
finish
