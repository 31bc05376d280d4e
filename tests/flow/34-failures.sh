#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whatever goes wrong is one readable line of ours and a non-zero end, in
# pkeyutl, req, cms and a TLS handshake; nothing ever asks at the terminal.
# Flows 47 and 48.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
echo hello >f
self_signed web web.crt
must "$mpcsign" cert release chain.pem
sed -n '1,/^-----END/p' chain.pem >leaf.pem
# seconds are enough for a cluster that answers; those that do not are tried
sed 's/^timeout.*//; s/^\[mpc_sect\]/&\ntimeout = 4/' "$OPENSSL_CONF" >short.cnf
export OPENSSL_CONF=$work/short.cnf

# wrong WHAT PATTERN COMMAND: fails, saying PATTERN in one line of ours
wrong() {
    local what=$1
    shift
    rm -f x
    refuse "mpc:.*($1)" "${@:2}"
    one_error
    [ ! -s x ] || fail "$what: something was written"
}
server() {
    exec openssl s_server -accept "127.0.0.1:$port" -cert web.crt \
        -key "$MPC_DEV/web.pem" -www
}
# each WHAT PATTERN: in all four, with a key that would otherwise sign
each() {
    wrong "$1: pkeyutl" "$2" openssl pkeyutl -sign -rawin -in f -out x \
        -inkey mpc:release
    wrong "$1: req" "$2" openssl req -new -subj /CN=x -out x -key mpc:release
    wrong "$1: cms" "$2" openssl cms -sign -binary -in f -signer leaf.pem \
        -inkey "$MPC_DEV/release.pem" -outform DER -out x
    for v in 2 3; do
        refuse 'alert internal error' stock s_client -tls1_$v \
            -connect "127.0.0.1:$port" </dev/null
    done
    same "$(grep -cE ":error:[0-9A-F]*:mpc:.*($2)" server.log)" 2 \
        "$1: what the server said of two handshakes"
    stop "$server"
}

# 47: persons have not approved; no session can be guessed
wrong "no approval" 'approv' openssl pkeyutl -sign -rawin -in f -out x \
    -inkey mpc:guarded
wrong "no such session" 'session' openssl pkeyutl -sign -rawin -in f -out x \
    -inkey "mpc:guarded?session=$(printf '0%.0s' {1..64})"
id=$("$mpcsign" request f --profile guarded 2>/dev/null)
must "$mpcsign" deny "$id" --as bob --role steward
wrong "denied" 'den' openssl pkeyutl -sign -rawin -in f -out x \
    -inkey "mpc:guarded?session=$id"

# attestation: the sidecar is not one that the caller allows; a server does
# not come up with such a key
want=$TEE_POLICY_HASH
export TEE_POLICY_HASH=$(printf 'ab%.0s' {1..32})
for c in "pkeyutl -sign -rawin -in f -out x -inkey mpc:release" \
    "req -new -subj /CN=x -out x -key mpc:release" \
    "cms -sign -binary -in f -signer leaf.pem -outform DER -out x -inkey
        $MPC_DEV/release.pem" \
    "s_server -accept 127.0.0.1:0 -cert web.crt -key $MPC_DEV/web.pem"; do
    wrong "attestation" policy_mismatch openssl $c
done
export TEE_POLICY_HASH=$want

# fewer nodes than the threshold
serve server
must "$mpcsign" dev kill node2
must "$mpcsign" dev kill node3
each "two nodes down" 'needs 2 of 3'
must "$mpcsign" dev start node2
must "$mpcsign" dev start node3

# the sidecar does not answer, then is not there
sign() { openssl pkeyutl -sign -rawin -in f -out x -inkey mpc:release; }
wait_for 20 sign
sed -i 's/^timeout.*/timeout = 1/' short.cnf
serve server
node1=$(pid_of node1)
kill -STOP "$node1"
each "no answer" 'timed out|in time'
kill -CONT "$node1"
wait_for 20 sign
serve server
must "$mpcsign" dev kill node1
each "no sidecar" 'sidecar.sock'
must "$mpcsign" dev start node1
wait_for 20 sign

# 48: no terminal, no passphrase, no question: a password changes nothing
for in in mpc:release "$MPC_DEV/release.pem"; do
    must openssl pkeyutl -sign -rawin -in f -out x -inkey "$in" </dev/null
    must openssl pkeyutl -sign -rawin -in f -out x -inkey "$in" \
        -passin pass:none </dev/null
    must setsid -w openssl pkeyutl -sign -rawin -in f -out x -inkey "$in" \
        </dev/null
    [ ! -s "$tmp/out" ] || fail "something was asked: $(cat "$tmp/out")"
done
