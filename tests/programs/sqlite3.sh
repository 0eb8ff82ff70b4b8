#!/bin/bash
# SPDX-License-Identifier: MIT
# sqlite3, in memory and on disk with a cache that holds the whole database.
. "$(dirname "$0")/lib.sh"
need sqlite3
rows=$(pick 150000 1000000)

queries() {
    cat <<SQL
CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
  INSERT INTO t SELECT i, (i * 7919) % 400009, printf('value %0100d', i) FROM n;
CREATE INDEX tk ON t(k);
SELECT count(*), sum(k), max(v) FROM t;
SELECT k, v FROM t ORDER BY k LIMIT 5 OFFSET $((rows / 2));
SELECT substr(v, -3), count(*) FROM t GROUP BY 1 ORDER BY 1 LIMIT 20;
UPDATE t SET v = v || 'x' WHERE id % 3 = 0;
DELETE FROM t WHERE id % 5 = 0;
SELECT sum(length(v)) FROM t;
PRAGMA integrity_check;
SQL
}

queries >"$work/in"
same_at_quarter sqlite3 :memory:

(
    echo "PRAGMA cache_size = -1000000; PRAGMA journal_mode = WAL; BEGIN;"
    queries | sed '/^DELETE/s/$/ COMMIT; VACUUM;/'
) >"$work/in"
measure sqlite3 "$work/plain.db" <"$work/in"
swapped sqlite3 "$work/swapped.db" <"$work/in"
expect 'the same output' cmp "$work/plain" "$work/swapped"
expect 'the same database' cmp "$work/plain.db" "$work/swapped.db"
expect_swapping 'sqlite3 on disk'
finish
