#!/bin/bash
# SPDX-License-Identifier: MIT
# guard_cost.sh BUILD-DIRECTORY: what the guard adds to system calls while memory is resident: the same
# program plainly, then under uswap.
set -eu
build=$1
work=$(mktemp -d "${TMPDIR:-/var/tmp}/uswap-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT

"$build/bench/guard_cost" >"$work/plain"
"$build/uswap" run --ram 64M --swap "$work:64M" -- "$build/bench/guard_cost" >"$work/swap"
echo '| system call | plainly | under uswap | more |'
echo '|---|---|---|---|'
paste -d'|' "$work/plain" "$work/swap" | awk -F'|' '
    { split($1, a, /  +/); split($2, b, /  +/); under[a[1]] = b[2]
      printf "| %s | %.0f ns | %.0f ns | %.0f ns |\n", a[1], a[2], b[2], b[2] - a[2] }
    END { printf "\nTo pin and unpin resident memory: %.0f ns\n",
                 under["read 1 byte, heap"] - under["read 1 byte, static"] }'
