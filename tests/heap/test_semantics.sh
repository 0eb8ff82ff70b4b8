#!/bin/sh
# SPDX-License-Identifier: MIT
# test_semantics.sh PROGRAM: glibc's answers are ours. From meson: PRELOAD.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" >"$work/glibc"
LD_PRELOAD=$PRELOAD "$1" >"$work/uswap"
wc -l <"$work/glibc"
diff "$work/glibc" "$work/uswap"
