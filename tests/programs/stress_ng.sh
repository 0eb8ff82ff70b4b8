#!/bin/bash
# SPDX-License-Identifier: MIT
# stress-ng checks the memory it uses: by malloc, by mmap, and by many children.
. "$(dirname "$0")/lib.sh"
need stress-ng
seconds=$(pick 4 60)

# stressed NAME OPTION...: with a verdict of its own.
stressed() {
    local name=$1
    shift
    bounded "$USWAP" run --ram 16M --swap "$work/swap:1G" --stats "$work/stats/%p.json" -- \
        stress-ng --verify --timeout "$seconds" --temp-path "$work" "$@" >"$work/out" 2>&1
    expect "stress-ng $name: exit code 0" [ $? -eq 0 ]
    expect "stress-ng $name: a successful run" grep -q 'successful run completed' "$work/out"
    expect_not "stress-ng $name: no failure" grep -qiE 'fail|corrupt' "$work/out"
    [ "$failures" -eq 0 ] || sed 's/^/   /' "$work/out"
}

stressed malloc --malloc 2 --malloc-bytes 64M
stressed vm --vm 2 --vm-bytes 64M --vm-method all
stressed fork --fork 2
stressed vfork --vfork 2
stressed mmap --mmap 2 --mmap-bytes 48M
stressed mremap --mremap 1 --mremap-bytes 24M
stressed memory --qsort 1 --hsearch 1 --tsearch 1
finish
