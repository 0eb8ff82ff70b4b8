#!/bin/bash
# SPDX-License-Identifier: MIT
# git gc and git fsck of a repository with a history; what it holds is then the same.
. "$(dirname "$0")/lib.sh"
need git
export HOME=$work GIT_CONFIG_NOSYSTEM=1
commits=$(pick 48 240 12)

# A history of files that change a line here and there.
awk -v commits="$commits" 'BEGIN {
    files = 8; x = 1; lines = 9000
    for (c = 1; c <= commits; c++) {
        printf "commit refs/heads/main\nmark :%d\ncommitter A <a@b> %d +0000\ndata 2\nc\n", c, 1e9 + c
        for (f = c % 8; f < files; f += 8) {
            text = ""
            for (l = 0; l < lines; l++) {
                if (c <= 8 || (l * 31 + c) % 97 == 0) {
                    x = (x * 69069 + 12345) % 4294967296
                    line[f, l] = sprintf("%010d %010d line %d of file %d\n", x, x * 7 % 999983, l, f) }
                text = text line[f, l] }
            printf "M 100644 inline dir%d/file%d\ndata %d\n%s\n", f % 3, f, length(text), text } } }' >"$work/history"

# make_repository NAME
make_repository() {
    git init -q -b main "$work/$1"
    git -C "$work/$1" fast-import --quiet <"$work/history"
    git -C "$work/$1" config gc.auto 0
    git -C "$work/$1" config core.bigFileThreshold 1g
}

# content NAME: every object there is.
content() {
    git -C "$work/$1" cat-file --batch-all-objects --batch-check
}

make_repository one
make_repository two
gc=(-c pack.threads=1 -c gc.aggressiveWindow=25 -c core.deltaBaseCacheLimit=64m gc --quiet --aggressive --prune=now)
measure git -C "$work/one" "${gc[@]}"
swapped git -C "$work/two" "${gc[@]}"
expect 'git gc: exit code 0' [ $code -eq 0 ]
expect 'the same objects' cmp <(content one) <(content two)
expect_swapping 'git gc'

swapped git -C "$work/two" fsck --full --strict
expect 'git fsck under uswap: exit code 0' [ $code -eq 0 ]
expect 'git fsck: exit code 0' git -C "$work/two" fsck --full --strict
swapped git -C "$work/two" archive --format=tar main
expect 'the same archive' cmp <(git -C "$work/one" archive --format=tar main) "$work/swapped"
finish
