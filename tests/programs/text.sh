#!/bin/bash
# SPDX-License-Identifier: MIT
# xz -9 of text without long repetitions, whose match finder touches pages at random; and back, which needs little
# memory.
. "$(dirname "$0")/lib.sh"
need xz
[ "$form" = full ] || skip 'takes minutes, as every byte is a fault or two'
awk -v n="$(pick 0 24000)" 'BEGIN { x = 1; for (i = 0; i < n; i++) {
    line = i; for (w = 0; w < 8; w++) { x = (x * 69069 + 12345) % 4294967296
        line = line " " substr("thequickbrownfoxjumpsoverthelazydogandruns", 1 + x % 36, 3 + x % 5) }
    print line } }' >"$work/in"
same_at_quarter xz -9 --threads=1 --stdout
mv "$work/swapped" "$work/packed"
swapped xz -9 --threads=1 --decompress --stdout <"$work/packed"
expect 'exit code 0' [ $code -eq 0 ]
expect 'what was packed comes back' cmp "$work/in" "$work/swapped"
finish
