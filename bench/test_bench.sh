#!/bin/bash
# SPDX-License-Identifier: MIT
# test_bench.sh SOURCE: the benchmark measures, writes JSON and plots that can be read, leaves nothing behind,
# also when it is interrupted, and refuses wrong options.
. "$1/../tests/program/lib.sh"
swap=$work/place
mkdir "$swap"
small=(--size 32M --ram 8M --seconds 0.1 --rounds 1 --swap "$swap")

bench() {
    timeout 60 "$USWAP" bench "$@" >"$work/out" 2>"$work/err"
}
left() {
    ls "$swap" /sys/block
    find /sys/fs/cgroup -name 'uswap-bench-*' -prune
    cat /sys/module/zswap/parameters/{enabled,compressor} /proc/swaps 2>/dev/null
}
before=$(left)

bench "${small[@]}" --only fill,rand-read,rand-read.typical,fork --rivals uswap,mmap,kernel,none --json "$work/json" --svg "$work/svg"
expect 'it measures' [ $? -eq 0 ]
expect 'the table has the ratio' grep -q 'uswap is so many times as fast as' "$work/out"
expect 'the JSON has what was measured' python3 - "$work/json" <<'END'
import json, sys
result = json.load(open(sys.argv[1]))
found = {(run['rival'], run['workload']) for run in result['runs']}
assert found >= {(rival, w) for rival in ('uswap', 'none') for w in result['workloads']}, found
assert all(run['ops'] and run['ns'] for run in result['runs'])
assert not result['failed'], result['failed']
END
expect 'the plots are XML' python3 - "$work/svg" <<'END'
import glob, sys, xml.dom.minidom
names = glob.glob(sys.argv[1] + '/*.svg')
assert len(names) > 4, names
for name in names:
    xml.dom.minidom.parse(name)
END
expect 'nothing is left' [ "$(left)" = "$before" ]

bench "${small[@]}" --only free-random --rivals uswap,mmap
expect 'programs of blocks run' [ $? -eq 0 ]
expect 'what a rival cannot run is said' grep -q '^skipped: free-random under mmap' "$work/out"
expect 'nothing is left' [ "$(left)" = "$before" ]

bench "${small[@]}" --only fill --rivals uswap,zram
expect 'zram has no more memory than others' grep -q '^skipped: zram' "$work/out"
expect 'nothing is left' [ "$(left)" = "$before" ]

# stop SIGNAL RIVAL: in the middle of what that rival has set up.
stop() {
    "$USWAP" bench --size 64M --ram 8M --seconds 30 --rounds 1 --swap "$swap" --only rand-read --rivals "$2" >"$work/out" 2>"$work/err" &
    local pid=$!
    for _ in {1..100}; do
        ls "$swap"/uswap-bench-* >/dev/null 2>&1 && break
        sleep 0.1
    done
    sleep 0.5
    kill -"$1" $pid
    wait $pid
    local status=$?
    [ "$(id -u)" = 0 ] || [ "$2" = uswap ] || return
    expect "$2 ends by the signal $1" [ $status -gt 128 ]
    expect "nothing of $2 is left after $1" [ "$(left)" = "$before" ]
}
set +m
stop INT uswap
stop INT kernel
stop TERM zram-beside

refuses() {
    local what=$1
    shift
    bench "$@"
    expect "exit code 2: $*" [ $? -eq 2 ]
    expect "the message names $what" grep -q -- "$what" "$work/err"
    expect 'one line' [ "$(wc -l <"$work/err")" -eq 1 ]
}
refuses '--size 5X' --size 5X
refuses '--rounds 0' --rounds 0
refuses '--seconds x' --seconds x
refuses 'nobody' --rivals nobody
refuses 'nothing' --only fill,nothing
refuses '/nowhere' --swap /nowhere
refuses '--ram' --ram 1M
refuses 'word' word
expect 'a list of names' grep -q '^rand-read.half' <("$USWAP" bench --list)
finish
