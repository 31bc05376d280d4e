#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nginx with two workers that run as nobody: TLS 1.2 and 1.3, a reload while
# it is loaded, 1,000 requests and none failed; what it costs is counted.
# Flow 32.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
open_socket nogroup
web=$(key_hash web)
self_signed web web.crt
cp "$MPC_DEV/web.pem" web.key
n=$(signatures "$web")

mkdir -p temp www
echo 'signed by three' >www/index.html
chmod -R a+rX .
config() {
    cat >nginx.conf <<EOF
daemon off;
$([ "$(id -u)" != 0 ] || echo 'user nobody nogroup;')
worker_processes 2;
pid $work/nginx.pid;
error_log $work/nginx.log info;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    ssl_session_cache off;
    ssl_session_tickets off;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $work/web.crt;
        ssl_certificate_key $work/web.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        root $work/www;
    }
}
EOF
}
nginx=(nginx -p "$work/" -c nginx.conf -e nginx.log)
start() {
    config
    exec "${nginx[@]}"
}
get() { # options of curl
    env -u OPENSSL_CONF curl -sS --cacert web.crt "$@" \
        "https://localhost:$port/" --resolve "localhost:$port:127.0.0.1"
}

serve start
workers() { pgrep -P "$server"; }
same "$(workers | wc -l)" 2 workers
[ "$(id -u)" != 0 ] || for p in $(workers); do
    same "$(stat -c %U "/proc/$p")" nobody "a worker's user"
done

# nothing is signed by a test of the configuration, nor by starting
must "${nginx[@]}" -t
same "$(signatures "$web")" "$n" "nginx -t and the start signed"

for v in 1.2 1.3; do
    same "$(get --tlsv$v --tls-max $v)" 'signed by three' "TLS $v"
    n=$((n + 1))
    same "$(signatures "$web")" "$n" "signatures after TLS $v"
done

# 1,000 handshakes from 16 at once; reloaded in the middle, twice
load 1000 16 'signed by three' &
load=$!
old=$(workers | sort)
for _ in 1 2; do
    sleep 0.7
    kill -HUP "$server"
done
wait $load || {
    cat load.out
    fail "1,000 requests"
}
renewed() { [ -z "$(comm -12 <(echo "$old") <(workers | sort))" ] &&
    [ "$(workers | wc -l)" = 2 ]; }
wait_for 10 renewed
n=$((n + 1000))
same "$(signatures "$web")" "$n" "one signature a handshake, none a reload"
if grep -E '\[(error|crit|alert|emerg)\]' nginx.log; then
    fail "nginx complains"
fi

# nobody at the socket: the client sees an alert, the log says why
must "$mpcsign" dev kill node1
refuse 'alert internal error|SSL' get
grep -q "error:[0-9A-F]*:mpc:.*sidecar.sock" nginx.log ||
    fail "nginx's log does not say why"
must "$mpcsign" dev start node1
wait_for 10 get
stop "$server"
