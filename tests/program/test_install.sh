#!/bin/bash
# SPDX-License-Identifier: MIT
# test_install.sh BUILD: what meson install puts somewhere is complete, exports only its own
# names, and a program can be built against it with nothing but pkg-config.
. "$(dirname "$0")/lib.sh"
build=$1
root=$work/root

DESTDIR=$root meson install -C "$build" --no-rebuild --quiet >"$work/log" 2>&1
expect 'meson install' [ $? -eq 0 ]

find_one() {
    find "$root" -name "$1" | head -n 1
}
for name in uswap libuswap.so libuswap-preload.so uswap.h uswap.pc uswap.1 uswap.3; do
    expect "$name is installed" [ -n "$(find_one "$name*")" ]
done

exports() {
    nm -D --defined-only "$1" | awk '{print $3}' | sort
}
expect 'libuswap.so exports only uswap_*' \
    [ -z "$(exports "$(find_one libuswap.so)" | grep -v '^uswap_')" ]
functions=$(sed -n 's/^[a-z].*[ *]\(uswap_[a-z_]*\)(.*/\1/p' "$(find_one uswap.h)" | sort -u)
expect 'libuswap.so exports every function of the header' \
    [ -z "$(comm -13 <(exports "$(find_one libuswap.so)") <(echo "$functions"))" ]

# Pages by every name that one would ask for, and what pages refer to.
for function in $functions; do
    expect "there is a page $function.3" [ -s "$(find_one "$function.3")" ]
done
for page in $(find "$root" -name 'uswap*.[137]' -exec sed -n 's/^\.Xr \(uswap[a-z_-]*\) \([0-9]\).*/\1.\2/p' {} + | sort -u) uswap-run.1 uswap-pool.1; do
    expect "and $page" [ -s "$(find_one "$page")" ]
done
for guide in $(sed -n 's/.*(\(docs\/[A-Z]*\.md\)).*/\1/p' "$(find_one README.md)"); do
    expect "README's $guide is beside it" [ -s "$(dirname "$(find_one README.md)")/$guide" ]
done

pc=$(find_one uswap.pc)
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root
library=$(find_one libuswap.so)
flags=$(pkg-config --cflags --libs uswap)
cp "$root"/usr/local/share/doc/uswap/examples/* "$work"
cd "$work" || exit

# runs NAME COMMAND...: an example, with little memory.
runs() {
    local name=$1
    shift
    LD_LIBRARY_PATH=${library%/*} USWAP_RAM=32M USWAP_SWAP=$work/swap timeout 60 "$@" >out 2>&1
    expect "$name runs" [ $? -eq 0 ]
}
built=0
for example in *.c *.cpp; do
    compiler=(gcc)
    [ "${example##*.}" = c ] || compiler=(g++ -std=c++17)
    # shellcheck disable=SC2086 # words are wanted
    expect "$example builds" "${compiler[@]}" -o "${example%.*}" "$example" $flags
    runs "$example" "./${example%.*}"
    built=$((built + 1))
done
expect 'there were examples' [ "$built" -gt 1 ]
runs table.py python3 table.py

"$(find "$root" -path '*/bin/uswap')" run --ram 32M --swap "$work/swap:4G" true
expect 'the installed command finds its library' [ $? -eq 0 ]
finish
