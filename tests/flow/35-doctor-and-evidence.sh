#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `mpcsign openssl doctor` finds what is wrong with a configuration and says
# the fix; evidence-dir leaves one bundle for each signature, whichever tool
# made it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
echo hello >f
good=$OPENSSL_CONF
doctor=("$mpcsign" openssl doctor)
release=$(key_hash release)
n=$(signatures "$release")
must "${doctor[@]}"

# what people do to a configuration
variant() { # name, sed's words
    sed "$2" "$good" >"$1.cnf"
    cmp -s "$good" "$1.cnf" && fail "$1: nothing changed"
    OPENSSL_CONF=$work/$1.cnf refuse "$3" "${doctor[@]}"
}
variant no-default '/^default = default_sect$/d; /^\[default_sect\]$/,+1d' \
    'FAIL.*default|default.*FAIL'
variant no-module 's|^module = .*|module = /nonexistent/mpc.so|' 'FAIL.*module'
unset MPC_SIDECAR
variant no-socket 's|^sidecar = .*|sidecar = /nonexistent/sidecar.sock|' \
    'FAIL.*(socket|sidecar)'
export MPC_SIDECAR=$MPC_DEV/node1/sidecar.sock
# the wrong order is told, and works all the same
sed '/^default = default_sect$/d
    s/^mpc = mpc_sect$/&\ndefault = default_sect/' "$good" >order.cnf
OPENSSL_CONF=$PWD/order.cnf must "${doctor[@]}"
grep -q 'warn.*mpc comes before' "$tmp/out" || fail "doctor: order"
grep -q '^ok.*genpkey of Ed25519' "$tmp/out" || fail "doctor: genpkey"
if [ "$(id -u)" = 0 ]; then # somebody who may not use the socket
    chmod 711 "$tmp" "$MPC_DEV" "$MPC_DEV/node1"
    chmod 644 "$good"
    refuse 'FAIL.*(socket|permission|Permission)' setpriv --reuid=65534 \
        --regid=65534 --clear-groups "${doctor[@]}"
    chmod 700 "$MPC_DEV" "$MPC_DEV/node1"
fi
same "$(signatures "$release")" "$n" "the doctor signed"

# ---- evidence ----------------------------------------------------------------

mkdir evidence
sed "s|^\[mpc_sect\]|&\nevidence-dir = $work/evidence|" "$good" >evidence.cnf
export OPENSSL_CONF=$work/evidence.cnf
must openssl pkeyutl -sign -rawin -in f -out f.sig -inkey mpc:release
bundle=evidence/$(sha256sum <f.sig | cut -d' ' -f1).mpc.json
[ -s "$bundle" ] || fail "no bundle named by the signature"
must "$mpcsign" verify f --bundle "$bundle" --policy "$MPC_DEV/policy.json" \
    --allow-simulated
must openssl cms -sign -binary -in f -signer mpc:release \
    -inkey "$MPC_DEV/release.pem" -outform DER -out f.p7s
must openssl req -new -key mpc:web -subj /CN=x -out x.csr
same "$(ls evidence | wc -l)" 3 "bundles of three signatures"
same "$(ls evidence | grep -vcE '^[0-9a-f]{64}\.mpc\.json$' || true)" 0 \
    "files that are no bundle"

# evidence that cannot be kept is no signature
mv evidence gone
refuse 'mpc:.*evidence' openssl pkeyutl -sign -rawin -in f -out x \
    -inkey mpc:release
one_error
[ ! -s x ] || fail "a signature without evidence was written"
