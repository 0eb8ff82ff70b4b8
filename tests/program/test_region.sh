#!/bin/bash
# SPDX-License-Identifier: MIT
# Shared regions as the command makes them, and a program that uses one.
#
#     test_region.sh EXAMPLE
. "$(dirname "$0")/lib.sh"
export TMPDIR=$work/swap
region=test-$$
file=/dev/shm/uswap-region-$(id -u)-$region
trap '"$USWAP" region rm $region 2>/dev/null; rm -rf "$work" "$file"' EXIT

expect 'a region is made' "$USWAP" region create $region --size 64M --ram 16M
expect 'its file is private' [ "$(stat -c %a "$file")" = 600 ]
expect 'its store is all there' [ "$(stat -c %b "$work"/swap/uswap-region-*)" -ge $((64 << 11)) ]
expect 'it is listed' grep -q "^$region .*64M .*16M" <("$USWAP" region ls)
expect 'it is shown' grep -q 'size 64M in objects of 16K, RAM 16M' <("$USWAP" region show $region)
expect_not 'not twice' "$USWAP" region create $region --size 64M --ram 16M
expect 'it can be resized' "$USWAP" region resize $region 32M
expect 'and is' grep -q 'RAM 32M' <("$USWAP" region show $region)
expect 'by the name of its user' grep -q 'RAM 32M' <("$USWAP" region show "$(id -un)/$region")
expect 'it can be removed' "$USWAP" region rm $region
expect_not 'it is gone' "$USWAP" region show $region
expect 'nothing is left' [ -z "$(ls "$work/swap")" ]

for wrong in "create" "create .x --size 1G --ram 64M" "create $region --ram 16M" "create $region --size 1G" \
    "create $region --size x --ram 16M" "create $region --size 1G --ram 1K" "create $region --size 1G --ram 16M --mode 9" \
    "create $region --size 1G --ram 16M --object-size 5K" "create $region --size 1G --ram 16M --swap /does/not/exist" \
    "create $region --size 1G --ram 16M --persist relative" "create $region --size 1G --ram 16M --persist /x --swap /y" \
    "create $region --size 1000T --ram 16M" "frob" "resize $region" "show a/b/c" "rm $region"; do
    # shellcheck disable=SC2086
    "$USWAP" region $wrong >/dev/null 2>"$work/err"
    expect "region $wrong: exit code 2" [ $? -eq 2 ]
    expect "region $wrong: one message" [ "$(wc -l <"$work/err")" -eq 1 ]
done
expect 'nothing is left of them' [ -z "$(ls "$work/swap")" ]
head -c 2000000 /dev/urandom >"$file"
"$USWAP" region show $region 2>"$work/err"
expect 'a file that is no region is refused' [ $? -eq 2 ]
expect 'with a message' grep -q 'not a shared region' "$work/err"
rm "$file"

expect 'a store that stays' "$USWAP" region create $region --size 8M --ram 4M --persist "$work/kept"
expect 'stays' "$USWAP" region rm $region
expect 'and says how large it is' "$USWAP" region create $region --ram 4M --persist "$work/kept"
expect 'as before' grep -q 'size 8M' <("$USWAP" region show $region)
expect 'and again' "$USWAP" region rm $region

expect 'a producer and consumers' grep -q 'every word came through' <("$1")
expect 'under uswap run, too' grep -q 'every word came through' \
    <("$USWAP" run --ram 64M --swap "$work/swap:256M" -- "$1")
expect 'nothing is left of them' [ -z "$(ls "$work/swap" /dev/shm | grep share-)" ]
finish
