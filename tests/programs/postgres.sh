#!/bin/bash
# SPDX-License-Identifier: MIT
# PostgreSQL: initdb and pgbench with data checksums; then sums that must agree, and a sort and a hash join
# that fill the memory of one backend. The shared buffers are shared memory, which is not swapped.
. "$(dirname "$0")/lib.sh"
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
[ -n "$bin" ] || skip 'postgresql is not installed'
scale=$(pick 1 5)
rows=$(pick 120000 1000000)
port=$(free_port)

# PostgreSQL does not run as root.
as=()
if [ "$(id -u)" -eq 0 ]; then
    as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    mkdir "$work/bin"
    cp "$USWAP" "$(dirname "$USWAP")/libuswap-preload.so" "$TOOLS/peak" "$work/bin"
    USWAP=$work/bin/uswap
    TOOLS=$work/bin
    chown -R 65534:65534 "$work"
fi
export HOME=$work PGHOST=$work PGPORT=$port PGUSER=tester PGDATABASE=postgres

sql() {
    "${as[@]}" "$bin/psql" -qAt -v ON_ERROR_STOP=1 "$@"
}

initialise() {
    "${as[@]}" "$@" "$bin/initdb" -D "$work/$data" -U tester --data-checksums -N --locale=C -A trust >"$work/initdb"
    expect "initdb of $data" [ $? -eq 0 ]
}

# start COMMAND...
start() {
    serve "${as[@]}" "$@" "$bin/postgres" -D "$work/$data" -k "$work" -p "$port" -c listen_addresses= \
        -c shared_buffers=8MB -c max_parallel_workers_per_gather=0 -c fsync=off -c log_min_messages=panic
    expect 'PostgreSQL answers' wait_for sql -c 'SELECT 1'
}

# What depends on nothing but the queries.
large_queries() {
    sql <<SQL
SET work_mem = '1GB'; SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT md5(string_agg(t, '')) FROM (SELECT md5(i::text) || repeat('x', 90) AS t
  FROM generate_series(1, $rows) i ORDER BY 1) s;
SELECT count(*), sum(a.i) FROM (SELECT i, md5(i::text) k FROM generate_series(1, $rows) i) a
  JOIN (SELECT i, md5((i * 3)::text) k FROM generate_series(1, $rows) i) b USING (k);
SELECT count(*), max(n) FROM (SELECT md5((i % 70000)::text) k, count(*) n FROM generate_series(1, $rows) i GROUP BY 1) g;
SQL
}

data=plain-data
initialise
start "$TOOLS/peak" "$work/peak"
large_queries >"$work/plain"
kill -INT "$(head -n 1 "$work/$data/postmaster.pid")" # peak waits for it
wait "$server"
set_budget "$(cat "$work/peak")"

SECONDS=0
data=swapped-data
initialise "${within[@]}"
start "${within[@]}"
large_queries >"$work/swapped"
expect 'the same answers' cmp "$work/plain" "$work/swapped"
expect 'pgbench initialises' "${as[@]}" "$bin/pgbench" -i -q -s "$scale" >"$work/pgbench" 2>&1
expect 'pgbench runs' "${as[@]}" "$bin/pgbench" -n -c 4 -j 2 -t "$(pick 150 3000)" >"$work/pgbench" 2>&1
grep -E '^(tps|number of transactions actually)' "$work/pgbench" | sed 's/^/   /'
expect 'all sums agree' [ "$(sql -c 'SELECT count(DISTINCT s) FROM (SELECT sum(abalance) s FROM pgbench_accounts
    UNION ALL SELECT sum(bbalance) FROM pgbench_branches UNION ALL SELECT sum(tbalance) FROM pgbench_tellers
    UNION ALL SELECT sum(delta) FROM pgbench_history) t')" = 1 ]
stopped INT
expect 'exit code 0' [ $code -eq 0 ]
expect 'pg_checksums finds nothing wrong' "${as[@]}" "$bin/pg_checksums" --check -D "$work/$data" >/dev/null
expect_swapping 'PostgreSQL'
echo "   within the budget: $SECONDS s"
finish
