#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# haproxy, chrooted and as nobody, and stunnel serve with the key; curl shows
# it as a client's certificate. Flows 34 to 36.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
# the socket's directory is in the jail, and outside under the same name
mkdir -p "jail$tmp/run"
chmod -R 755 jail
ln -s "$work/jail$tmp/run" "$tmp/run"
open_socket nogroup
web=$(key_hash web)
self_signed web web.crt
cp "$MPC_DEV/web.pem" web.key
n=$(signatures "$web")

# both versions, and one signature a handshake
both() {
    for v in TLSv1_2 TLSv1_3; do
        load 200 8 'signed by three' $v || {
            cat load.out server.log
            fail "$1 $v"
        }
        n=$((n + 200))
        same "$(signatures "$web")" "$n" "signatures of $1 $v"
    done
}

# 34: haproxy takes certificate and reference from one file
cat web.crt web.key >both.pem
haproxy_() {
    cat >haproxy.cfg <<EOF
global
    log stdout format raw local0
    tune.ssl.cachesize 0
$([ "$(id -u)" != 0 ] ||
        printf '    chroot %s\n    user nobody\n    group nogroup\n' \
            "$work/jail")
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend tls
    bind 127.0.0.1:$port ssl crt $work/both.pem no-tls-tickets
    http-request return status 200 content-type text/plain string "signed by three"
EOF
    exec haproxy -db -f haproxy.cfg
}
serve haproxy_
same "$(signatures "$web")" "$n" "haproxy's start signed"
both haproxy
[ "$(id -u)" != 0 ] ||
    same "$(readlink "/proc/$server/root")" "$work/jail" "haproxy's root"
stop "$server"

# 35: stunnel
cat >answer.sh <<'EOF'
while read -r line && [ "${line%?}" ]; do :; done
printf 'HTTP/1.0 200 OK\r\n\r\nsigned by three'
EOF
chmod a+rX . answer.sh
stunnel_() {
    cat >stunnel.conf <<EOF
foreground = yes
pid =
$([ "$(id -u)" != 0 ] || printf 'setuid = nobody\nsetgid = nogroup\n')
[tls]
accept = 127.0.0.1:$port
cert = $work/web.crt
key = $work/web.key
exec = /bin/sh
execArgs = sh $work/answer.sh
sessionCacheSize = 1
options = NO_TICKET
EOF
    exec stunnel stunnel.conf
}
serve stunnel_
same "$(signatures "$web")" "$n" "stunnel's start signed"
both stunnel
stop "$server"

# 36: curl as a client that has a certificate
software_ca
issued web client.crt extendedKeyUsage=clientAuth
must stock req -x509 -newkey ed25519 -nodes -keyout server.key -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost -out server.crt
s_server() {
    exec env -u OPENSSL_CONF openssl s_server -accept "127.0.0.1:$port" \
        -cert server.crt -key server.key -Verify 1 -verify_return_error \
        -CAfile ca.crt -www
}
serve s_server
n=$(signatures "$web")
get() {
    curl -sS --cacert server.crt --resolve "localhost:$port:127.0.0.1" "$@" \
        "https://localhost:$port/"
}
for v in 1.2 1.3; do
    must get --tlsv$v --tls-max $v --cert client.crt --key web.key
    grep -q 'CN *= *web' "$tmp/out" || fail "curl: no certificate was shown"
    n=$((n + 1))
    same "$(signatures "$web")" "$n" "curl, TLS $v"
done
refuse 'alert' get
stop "$server"
