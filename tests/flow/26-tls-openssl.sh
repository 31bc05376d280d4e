#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# openssl s_server and s_client, TLS 1.2 and 1.3: the server's key, then the
# client's as well; each handshake costs one signature a side, each load none.
# Flows 30 and 31.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
web=$(key_hash web)
self_signed web web.crt
software_ca
issued web client.crt extendedKeyUsage=clientAuth
n=$(signatures "$web")

server() { # certificate key [more]
    exec openssl s_server -accept "127.0.0.1:$port" -cert "$1" -key "$2" \
        -www "${@:3}"
}
client() { # options
    printf 'GET / HTTP/1.0\r\n\r\n' |
        "${ssl[@]}" s_client -connect "127.0.0.1:$port" -servername localhost \
            -verify_return_error -CAfile web.crt -ign_eof "$@"
}

# 30: the server's key; the client is stock OpenSSL
ssl=(stock)
serve server web.crt mpc:web
for v in 2 3; do
    must client -tls1_$v
    grep -q "^Verify return code: 0\|Verification: OK" "$tmp/out" ||
        fail "TLS 1.$v: not verified"
    grep -q "TLSv1.$v" "$tmp/out" || fail "not TLS 1.$v"
    grep -qi 'Peer signature type: ed25519' "$tmp/out" ||
        fail "TLS 1.$v: the server did not sign with Ed25519"
    n=$((n + 1))
    same "$(signatures "$web")" $n "signatures of TLS 1.$v"
done
# five resumptions of a session cost nothing
must client -tls1_2 -reconnect
[ "$(grep -c '^Reused' "$tmp/out")" -ge 5 ] || fail "nothing was resumed"
n=$((n + 1))
same "$(signatures "$web")" $n "signatures of a session resumed"
stop "$server"

# a certificate of another key is refused at start, not in a handshake
stock req -x509 -newkey ed25519 -nodes -keyout other.key -subj /CN=localhost \
    -days 2 -out other.crt 2>/dev/null
refuse 'key values mismatch' openssl s_server -accept 127.0.0.1:0 \
    -cert other.crt -key mpc:web
same "$(signatures "$web")" $n "a refused certificate signed"

# 31: the client's key as well
ssl=(openssl)
serve server web.crt mpc:web -Verify 1 -CAfile ca.crt -verify_return_error
for v in 2 3; do
    must client -tls1_$v -cert client.crt -key mpc:web
    grep -q 'CN *= *web' "$tmp/out" || fail "TLS 1.$v: no client certificate"
    n=$((n + 2))
    same "$(signatures "$web")" $n "signatures of mutual TLS 1.$v"
done
refuse 'alert' client -tls1_3
stop "$server"
same "$(grep -c ':mpc:' server.log || true)" 0 "our errors at the server"

# class artifact authenticates nobody: its certificate is found in the store,
# and then no signer takes part in the handshake
serve server web.crt mpc:web -Verify 1 -CAfile "$MPC_DEV/ca.pem" \
    -verify_return_error
refuse 'profile release does not sign tls13' client -tls1_3 \
    -cert mpc:release -key mpc:release
stop "$server"
