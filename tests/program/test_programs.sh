#!/bin/bash
# SPDX-License-Identifier: MIT
# test_programs.sh NAME: a real program at a quarter of its peak memory gives the same output and
# exit code as without uswap, and the statistics prove that it was swapped.
. "$(dirname "$0")/lib.sh"

# at_quarter PROGRAM ARG...: input from $work/in when it is there.
at_quarter() {
    local input=/dev/null peak ram plain_code code
    [ ! -e "$work/in" ] || input=$work/in

    "$TOOLS/peak" "$work/peak" "$@" <"$input" >"$work/plain"
    plain_code=$?
    peak=$(cat "$work/peak")
    ram=$((peak / 4 > 8192 ? peak / 4 : 8192))
    echo "   peak $peak KiB; budget $ram KiB"
    expect 'the program is large enough to prove anything' [ $((2 * peak)) -ge $((3 * ram)) ]

    SECONDS=0
    "$USWAP" run --ram ${ram}K --swap "$work/swap:4G" --stats "$work/stats.json" -- "$@" \
        <"$input" >"$work/swapped"
    code=$?
    echo "   $SECONDS s"
    expect "exit code $plain_code" [ $code -eq $plain_code ]
    expect 'the same output' cmp "$work/plain" "$work/swapped"
    expect_swapped "$1" "$work/stats.json"
}

# Lines in an order that no locale and no shuffle program decides.
scrambled() {
    awk -v n="$1" 'BEGIN { x = 1; for (i = 0; i < n; i++) {
        x = (x * 69069 + 12345) % 4294967296; printf "%010d some text to fill the line %d\n", x, i } }'
}

program_sort() {
    scrambled 145000 >"$work/in"
    at_quarter sort -S 400M --parallel=1
}

program_sort_parallel() {
    scrambled 145000 >"$work/in"
    at_quarter sort -S 400M --parallel=4
}

program_sqlite3() {
    cat >"$work/in" <<'SQL'
CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
  INSERT INTO t SELECT i, (i * 7919) % 400009, printf('value %0100d', i) FROM n;
CREATE INDEX tk ON t(k);
SELECT count(*), sum(k), max(v) FROM t;
SELECT k, v FROM t ORDER BY k LIMIT 5 OFFSET 200000;
SELECT substr(v, -3), count(*) FROM t GROUP BY 1 ORDER BY 1 LIMIT 20;
UPDATE t SET v = v || 'x' WHERE id % 3 = 0;
SELECT sum(length(v)) FROM t;
PRAGMA integrity_check;
SQL
    at_quarter sqlite3 :memory:
}

program_gawk() {
    at_quarter gawk 'BEGIN {
        for (i = 0; i < 45000; i++) a["key " i * 7919 % 45007] = "value number " i
        for (i = 0; i < 45000; i += 3) delete a["key " i]
        for (k in a) { n++; s += length(a[k]) }
        print n, s, a["key 1"], a["key 44999"]
    }'
}

# 13 MB of a few lines over and over, then others, then the first again. In text without such
# repetition a match finder touches several random pages for every byte, which no disk can serve.
repeating() {
    scrambled 80 | awk '{ line[NR - 1] = $0 }
        END { for (i = 0; i < 40 * 400 * 20; i++) print line[int(i / 8000) % 4 * 20 + i % 20] }'
}

program_xz() {
    repeating >"$work/in"
    at_quarter xz -9 --threads=1 --stdout
    mv "$work/swapped" "$work/in"
    at_quarter xz -9 --threads=1 --decompress --stdout
}

# Checks its own memory; forks children, so that only its exit code tells.
program_stress_ng() {
    command -v stress-ng >/dev/null || skip 'stress-ng is not installed'
    "$USWAP" run --ram 16M --swap "$work/swap:4G" -- \
        stress-ng --malloc 2 --malloc-bytes 64M --verify --timeout 10 \
        >"$work/out" 2>&1
    expect 'stress-ng --malloc --verify' [ $? -eq 0 ]
    expect 'a successful run' grep -q 'successful run completed' "$work/out"
    expect_not 'no failure' grep -qiE 'fail|corrupt' "$work/out"
    sed 's/^/   /' "$work/out"
}

program_"$1"
expect 'nothing is left in the swap directory' [ -z "$(ls -A "$work/swap")" ]
finish
