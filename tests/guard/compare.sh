#!/bin/bash
# SPDX-License-Identifier: MIT
# compare.sh PROGRAM [ARG...]: it prints the same plainly and under uswap, with USWAP_MMAP as the environment has it.
set -u
mmap=${USWAP_MMAP:-no}
unset USWAP_RAM USWAP_SWAP USWAP_STATS USWAP_MMAP USWAP_CHILDREN MALLOC_PERTURB_
program=$(realpath "$1")
shift
work=$(mktemp -d "${TMPDIR:-/var/tmp}/uswap-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/plain" "$work/swap"

(cd "$work/plain" && "$program" "$@" >"$work/plain.out") || exit 1
(cd "$work/swap" && "$USWAP" run --ram 8M --swap "$work:256M" --mmap "$mmap" -- "$program" "$@" >"$work/swap.out") || exit 1
lines=$(wc -l <"$work/plain.out")
diff "$work/plain.out" "$work/swap.out" || exit 1
echo "$lines lines the same"
[ "$lines" -gt 10 ]
