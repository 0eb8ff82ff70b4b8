#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 leaves nothing on disk and nothing in shared memory: the swap file has no name from the start.
. "$(dirname "$0")/lib.sh"

# The descriptors of a process that are open on files below the swap directory.
swap_descriptors() {
    find "/proc/$1/fd" -lname "$work/swap/*" 2>/dev/null
}

before=$(ls -A /dev/shm)
"$USWAP" run --ram 16M --swap "$work/swap:4G" -- "$TOOLS/workset" 64 linger >"$work/out" &
pid=$!
for _ in $(seq 300); do
    grep -q ready "$work/out" && break
    sleep 0.1
done
expect 'every word was right' grep -q 'ready 0 wrong' "$work/out"

descriptor=$(swap_descriptors $pid | head -n 1)
expect 'it has a swap file' [ -n "$descriptor" ]
expect 'which holds data' [ "$(stat -L -c %b "$descriptor")" -gt 0 ]
expect 'that only its owner may read' [ "$(stat -L -c %a "$descriptor")" = 600 ]
expect 'and has no name' [ "$(stat -L -c %h "$descriptor")" -eq 0 ]
expect 'no file is in the swap directory' [ -z "$(ls -A "$work/swap")" ]

kill -9 $pid
wait $pid 2>/dev/null
expect 'it is dead' [ $? -eq 137 ]
expect 'nothing is left in the swap directory' [ -z "$(ls -A "$work/swap")" ]
expect 'nothing is left in shared memory' [ "$(ls -A /dev/shm)" = "$before" ]
finish
