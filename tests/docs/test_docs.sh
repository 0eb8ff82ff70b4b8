#!/bin/bash
# SPDX-License-Identifier: MIT
# test_docs.sh SOURCE BUILD PAGE: the commands of a page of docs/ work, tried in an empty directory with what was
# installed. A page's commands are its blocks marked as sh; they run one after the other.
. "$(dirname "$0")/../program/lib.sh"
source=$1
build=$2
page=$source/docs/$3

root=$work/root
DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >"$work/log" 2>&1 || cat "$work/log"
uswap=$(find "$root" -path '*/bin/uswap')
library=$(find "$root" -name libuswap.so)
pc=$(find "$root" -name uswap.pc)
export PATH=${uswap%/*}:$PATH LD_LIBRARY_PATH=${library%/*} EXAMPLES=$root/usr/local/share/doc/uswap/examples
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root TMPDIR=$work/swap
mkdir "$work/empty"
cd "$work/empty" || exit

# block N: the N-th block of commands.
block() {
    awk -v wanted="$1" '/^```sh$/ {n++; inside = n == wanted; next} /^```$/ {inside = 0} inside' "$page"
}
blocks=$(grep -c '^```sh$' "$page")
for ((i = 1; i <= blocks; i++)); do
    block "$i" >"$work/block"
    timeout 120 bash -euo pipefail "$work/block" >"$work/output" 2>&1 </dev/null
    status=$?
    [ "$status" -eq 0 ] || cat "$work/block" "$work/output"
    expect "block $i of $3" [ "$status" -eq 0 ]
done
expect 'the page has commands' [ "$blocks" -gt 0 ]
finish
