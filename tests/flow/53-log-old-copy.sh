#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The log asks its witnesses before it takes an append: while none answers,
# nothing can be signed; and an old copy of its own state does not run once a
# witness shows a newer checkpoint of it.
. "$(dirname "$0")/lib.sh"
command -v nginx >/dev/null || fail "nginx is not installed"
up "$tmp/dev"
state=$(conf log state_dir)
sock=$tmp/w.sock
web=$tmp/web
mkdir "$web" "$tmp/n1" "$tmp/n2" "$tmp/n3" "$tmp/n4" "$tmp/n5"

# a witness of which only what it has seen is asked: a static file
cat >"$tmp/nginx.conf" <<EOF
daemon off;
pid $tmp/nginx.pid;
error_log $tmp/nginx.err;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $tmp/n1; proxy_temp_path $tmp/n2;
    fastcgi_temp_path $tmp/n3; uwsgi_temp_path $tmp/n4; scgi_temp_path $tmp/n5;
    server { listen unix:$sock; root $web; }
}
EOF
origin=$(printf 'dev/log' | sha256sum | cut -c 1-64)
head -c 32 /dev/urandom >"$tmp/pub"
id=$({ printf 'w\n\004'; cat "$tmp/pub"; } | sha256sum | cut -c 1-8)
cat >"$tmp/witnesses" <<EOF
# one witness, and it must have spoken
witness w w+$id+$({ printf '\004'; cat "$tmp/pub"; } | base64 -w 0) unix:$sock
quorum w
EOF

nginx_pid=
start_nginx() {
    rm -f "$sock"
    [ "$(id -u)" != 0 ] || chmod -R go+rX "$tmp" # its worker is nobody
    nginx -c "$tmp/nginx.conf" -e "$tmp/nginx.err" &
    nginx_pid=$!
    wait_for 10 test -S "$sock"
}
stop_nginx() {
    local status=$?
    [ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null
    wait 2>/dev/null
    set +e
    (exit "$status")
    cleanup
}
trap stop_nginx EXIT

sign() {
    head -c 50 /dev/urandom >"$tmp/doc"
    psign "$tmp/doc" "$tmp/sig"
}
must sign
must "$mpcsign" dev kill log
cp -r "$state" "$tmp/old-state"
must "$mpcsign" dev start log
must sign
wait_for 20 sh -c "[ \"\$(sed -n 2p '$state/checkpoint')\" -gt \
    \"\$(sed -n 2p '$tmp/old-state/checkpoint')\" ]"
must "$mpcsign" dev kill log
cp "$state/checkpoint" "$tmp/newest"

# nobody answers: the log runs and is read, and takes nothing
printf 'witnesses = %s\n' "$tmp/witnesses" >>"$MPC_DEV/log/daemon.cnf"
must "$mpcsign" dev start log
same "$(curl -s -o /dev/null -w '%{http_code}' "$MPC_LOG_URL/checkpoint")" 200 \
    "the checkpoint while the log waits"
refuse 'waits for a quorum of its witnesses' sign
# it answers, and has seen nothing yet: appends begin without a restart
start_nginx
wait_for 20 sign

# the witness holds what the log has signed; then the old copy comes back
must "$mpcsign" dev kill log
mkdir -p "$web/$origin"
cp "$tmp/newest" "$web/$origin/checkpoint"
[ "$(id -u)" != 0 ] || chmod -R go+rX "$tmp"
must "$mpcsign" dev start log
wait_for 20 sign
must "$mpcsign" dev kill log
mv "$state" "$tmp/new-state"
cp -r "$tmp/old-state" "$state"
refuse '' timeout 60 "$build/bin/mpc-log" -c "$MPC_DEV/log/daemon.cnf"
grep -q 'witness w has seen .* entries of this log, here are' "$tmp/out" || {
    cat "$tmp/out"
    fail "another reason"
}
cmp -s "$state"/evidence-* "$tmp/newest" || fail "no evidence was kept"

# and with its own state it goes on
rm -rf "$state"
mv "$tmp/new-state" "$state"
must "$mpcsign" dev start log
wait_for 20 sign
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
