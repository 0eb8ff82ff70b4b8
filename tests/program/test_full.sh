#!/bin/bash
# SPDX-License-Identifier: MIT
# Where there is no room: a small or a full /dev/shm, a small or a full file system for stores. One message says it, nothing
# is left behind, no content is lost and nobody dies of it.
#
#     test_full.sh EXAMPLE
if [ -z "${INSIDE:-}" ]; then
    root=
    [ "$(id -u)" -eq 0 ] || root=-r
    unshare $root -m true 2>/dev/null || { echo 'skipped: no mount namespace'; exit 77; }
    INSIDE=1 exec unshare $root -m --propagation private "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
unset USWAP_POOL
region=full-$$
mkdir "$work/small"
trap 'umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT

# room WHERE SIZE: an empty file system of that size is there from now on.
room() {
    mountpoint -q "$1" && umount "$1"
    mount -t tmpfs -o size="$2" tmpfs "$1" || skip 'tmpfs cannot be mounted'
}

# refused WHAT COMMAND...: exit code 2, one message.
refused() {
    local what=$1
    shift
    "$@" >/dev/null 2>"$work/err"
    expect "$what: exit code 2" [ $? -eq 2 ]
    expect "$what: one message" [ "$(wc -l <"$work/err")" -eq 1 ]
    sed 's/^/   /' "$work/err"
}

nothing_left() { [ -z "$(find /dev/shm "$work/swap" "$work/small" -type f)" ]; }

room /dev/shm 64k
room "$work/small" 8M
refused 'a pool whose file does not fit' "$USWAP" pool create $region --ram 64M
room /dev/shm 2M
refused 'a region whose table does not fit' "$USWAP" region create $region --size 4G --ram 1M --swap "$work/swap"
expect 'nothing is left of them' nothing_left
TMPDIR=$work/swap "$1" >"$work/out" 2>&1
expect 'a program gets the error' [ $? -eq 1 ]

room /dev/shm 8M
refused 'a region whose RAM is more than there is' "$USWAP" region create $region --size 64M --ram 16M --swap "$work/swap"
expect 'that says how much there is' grep -q '8M' "$work/err"
refused 'a store that does not fit' "$USWAP" region create $region --size 64M --ram 4M --swap "$work/small"
refused 'a store that stays and does not fit' "$USWAP" region create $region --size 64M --ram 4M --persist "$work/small/kept"
expect 'nothing is left of them' nothing_left
expect 'nor of the one that was to stay' [ ! -e "$work/small/kept" ]

# Others fill what is free once the region is there: it does with what it has.
room /dev/shm 24M
TMPDIR=$work/swap "$1" >"$work/out" 2>&1 &
until ls /dev/shm/uswap-region-* >/dev/null 2>&1; do sleep 0.01; done
sleep 0.1
dd if=/dev/zero of=/dev/shm/filler bs=64K count=192 2>/dev/null
wait $!
expect 'the consumers end well' [ $? -eq 0 ]
expect 'every word came through a full /dev/shm' grep -q 'every word came through' "$work/out"
sed 's/^/   /' "$work/out"
rm /dev/shm/filler

# Members join a pool and a region whose files are there, when nothing more fits.
expect 'a pool' "$USWAP" pool create $region --ram 32M
expect 'a region' "$USWAP" region create $region --size 16M --ram 2M --swap "$work/swap"
dd if=/dev/zero of=/dev/shm/filler bs=64K 2>/dev/null
"$USWAP" run --pool $region --swap "$work/swap:256M" -- "$TOOLS/share" 40 0.5 random >"$work/out"
expect 'members of a pool need nothing more' grep -q '^peak' "$work/out"
expect 'nor does a look at the region' "$USWAP" region show $region
rm /dev/shm/filler
expect 'the pool goes' "$USWAP" pool rm $region
expect 'the region goes' "$USWAP" region rm $region

# Where a file system cannot reserve, it is said.
umount "$work/small"
mount -t ramfs ramfs "$work/small"
expect 'a region in a file system that reserves nothing' "$USWAP" region create $region --size 4M --ram 1M --swap "$work/small" 2>"$work/err"
expect 'with one warning' grep -qx "uswap: region $region: space cannot be reserved for its store: a full disk may fail writes" "$work/err"
expect 'goes, too' "$USWAP" region rm $region

# Stores: what is not there is not promised, and what has been promised others cannot take.
room "$work/small" 24M
"$USWAP" run --ram 16M --compress off --swap "$work/small:16M" -- "$TOOLS/share" 200 0 random >"$work/out" 2>&1
expect 'a program gets NULL when nothing more fits' grep -q 'no memory' "$work/out"
"$USWAP" run --ram 8M --compress off --swap "$work/small:23M" --stats "$work/stats" -- "$TOOLS/share" 16 2 random >"$work/out" 2>&1 &
sleep 1
dd if=/dev/zero of="$work/small/filler" bs=64K 2>/dev/null
wait $!
expect 'a program in a full file system ends well' [ $? -eq 0 ]
expect 'every word was right' grep -q '^peak' "$work/out"
expect_swapped 'it' "$work/stats"
rm "$work/small/filler"
expect 'nothing is left' nothing_left
finish
