#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A replica of the log's public port: static files made by mpc-log export and
# served by an nginx that knows nothing of logs. Anyone who verifies the log
# can verify the replica; it grows by what is new; a stranger's log is refused.
. "$(dirname "$0")/lib.sh"
command -v nginx >/dev/null || fail "nginx is not installed"
up "$tmp/dev"
web=$tmp/web
sock=$tmp/nginx.sock

cat >"$tmp/nginx.conf" <<EOF
daemon off;
pid $tmp/nginx.pid;
error_log $tmp/nginx.err;
worker_processes 1;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $tmp/n1; proxy_temp_path $tmp/n2;
    fastcgi_temp_path $tmp/n3; uwsgi_temp_path $tmp/n4; scgi_temp_path $tmp/n5;
    server {
        listen unix:$sock;
        root $web;
        types { }
        location = /checkpoint {
            default_type "text/plain; charset=utf-8";
            add_header Cache-Control no-cache;
        }
        location /tile/ {
            default_type application/octet-stream;
            add_header Cache-Control "public, max-age=31536000, immutable";
        }
        location / { return 404; }
    }
}
EOF

sign() {
    head -c 50 /dev/urandom >"$tmp/doc"
    psign "$tmp/doc" "$tmp/sig"
}
export_log() {
    must "$build/bin/mpc-log" export --url "$MPC_LOG_URL" \
        --vkey "$MPC_LOG_VKEY" "$web"
}
checkpoint_size() { sed -n 2p "$web/checkpoint"; }

sign
export_log
size=$(checkpoint_size)
mkdir "$tmp/n1" "$tmp/n2" "$tmp/n3" "$tmp/n4" "$tmp/n5"
[ "$(id -u)" != 0 ] || chmod -R go+rX "$tmp" # nginx's worker is nobody
nginx -c "$tmp/nginx.conf" -e "$tmp/nginx.err" &
nginx_pid=$!
stop_nginx() {
    local status=$?
    kill "$nginx_pid" 2>/dev/null
    wait "$nginx_pid" 2>/dev/null
    set +e
    (exit "$status")
    cleanup
}
trap 'stop_nginx' EXIT
for _ in $(seq 100); do
    [ -S "$sock" ] && break
    sleep 0.1
done
replica() { "$mpcsign" log fsck "unix:$sock" --vkey "$MPC_LOG_VKEY"; }
must replica
grep -q "size $size" "$tmp/out" || fail "the replica is not of size $size"

# what a C2SP client looks at
get() { curl -s --unix-socket "$sock" -o "$tmp/body" -D "$tmp/head" \
    -w '%{http_code}' "http://localhost$1"; }
same "$(get /checkpoint)" 200 "checkpoint"
grep -qi '^content-type: text/plain; charset=utf-8' "$tmp/head" ||
    fail "type of the checkpoint: $(cat "$tmp/head")"
same "$(get "/tile/entries/000.p/$((size % 256))")" 200 "bundle"
grep -qi '^content-type: application/octet-stream' "$tmp/head" ||
    fail "type of a bundle: $(cat "$tmp/head")"
grep -qi '^cache-control: public, max-age=31536000, immutable' "$tmp/head" ||
    fail "cache rule of a bundle: $(cat "$tmp/head")"
same "$(get /tile/0/000)" 404 "a tile that is not full"
same "$(get /v1/log/append)" 404 "append at a replica"

# nothing new, nothing written (receipts come a moment after signatures); then
# only what is new
quiet() {
    export_log
    grep -q ' 0 new, 0 files' "$tmp/out"
}
wait_for 20 quiet
size=$(checkpoint_size)
sign
for _ in $(seq 100); do
    export_log
    [ "$(checkpoint_size)" -gt "$size" ] && break
    sleep 0.1
done
grep -q ' 3 files written' "$tmp/out" || fail "more: $(cat "$tmp/out")"
must replica

# another key of that name
head -c 32 /dev/urandom >"$tmp/pub"
id=$({ printf 'dev/log\n\001'; cat "$tmp/pub"; } | sha256sum | cut -c 1-8)
refuse 'checkpoint' "$build/bin/mpc-log" export --url "$MPC_LOG_URL" \
    --vkey "dev/log+$id+$({ printf '\001'; cat "$tmp/pub"; } | base64 -w 0)" \
    "$tmp/other"
[ ! -e "$tmp/other/checkpoint" ] || fail "a stranger's log was mirrored"
# a mirror that follows the replica, which then falls back to an older state
cp -r "$web" "$tmp/old"
sign
size=$(checkpoint_size)
for _ in $(seq 100); do
    export_log
    [ "$(checkpoint_size)" -gt "$size" ] && break
    sleep 0.1
done
follow() {
    "$build/bin/mpc-log" export --url "unix:$sock" --vkey "$MPC_LOG_VKEY" \
        "$tmp/second"
}
must follow
size=$(checkpoint_size)
mv "$web" "$tmp/new"
mv "$tmp/old" "$web"
refuse "log: [0-9]+ entries, $tmp/second has $size" follow
mv "$web" "$tmp/old"
mv "$tmp/new" "$web"
must follow
grep -q ' 0 new, 0 files' "$tmp/out" || fail "second: $(cat "$tmp/out")"
