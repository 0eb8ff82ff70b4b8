#!/bin/bash
# SPDX-License-Identifier: MIT
# nginx: two workers take what many clients send into memory, under the load of wrk, and pass it on; meanwhile
# what is uploaded is what is downloaded, compressed on its way. The master is stopped as an administrator does
# it: workers that were killed would leave no statistics.
. "$(dirname "$0")/lib.sh"
need nginx wrk curl
clients=$(pick 160 500 80)
mkdir "$work/www"
cat >"$work/post.lua" <<'LUA'
wrk.method = "POST"
wrk.body = string.rep("0123456789abcdef", 25000)
LUA
chmod 755 "$work"
awk 'BEGIN { for (i = 0; i < 6000; i++) printf "line %d of a page, %d\n", i, i * 7919 % 100003 }' >"$work/www/page.html"

configure() {
    cat >"$work/nginx.conf" <<CONF
daemon off;
user root;
pid $work/nginx.pid;
error_log $work/error.log;
worker_processes 2;
events { worker_connections 2048; }
http {
    access_log off;
    default_type text/html;
    gzip on;
    gzip_comp_level 2;
    gzip_buffers 64 8k;
    output_buffers 4 64k;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:$port;
        root $work/www;
        client_max_body_size 8m;
        client_body_buffer_size 512k;
        location /pass { proxy_pass http://127.0.0.1:$port/sink; }
        location /sink { return 200 taken; }
        location /put { dav_methods PUT; }
    }
}
CONF
}

# start COMMAND...
start() {
    port=$(free_port)
    configure
    serve "$@" nginx -e "$work/error.log" -c "$work/nginx.conf"
    expect 'nginx answers' wait_for curl -sf -o /dev/null "http://127.0.0.1:$port/page.html"
}

load() {
    wrk -t 2 -c "$clients" -d "$(pick 6 30 1)" -s "$work/post.lua" --timeout 30s "http://127.0.0.1:$port/pass" \
        >"$work/wrk"
}

start "$TOOLS/peak" "$work/peak"
load
kill -QUIT "$(cat "$work/nginx.pid")"
wait "$server"
set_budget "$(cat "$work/peak")"

start "${within[@]}"
load &
loader=$!
for i in 1 2 3 4 5; do
    expect 'an upload under load' curl -sf -T "$work/www/page.html" "http://127.0.0.1:$port/put$i"
    expect 'the same comes back' cmp "$work/www/page.html" <(curl -s --compressed "http://127.0.0.1:$port/put$i")
done
wait $loader
expect 'wrk ended well' [ $? -eq 0 ]
expect_not 'no request failed' grep -qE 'Non-2xx|Socket errors: connect [1-9]' "$work/wrk"
grep -E 'Requests/sec|requests in' "$work/wrk" | sed 's/^/   /'
stopped QUIT
expect 'exit code 0' [ $code -eq 0 ]
expect_not 'no worker died' grep -qE 'emerg|alert|crit' "$work/error.log"
expect 'master and workers left statistics' [ "$(ls "$work/stats" | wc -l)" -ge 3 ]
expect_swapping nginx
finish
