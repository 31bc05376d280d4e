#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# openssl pkeyutl and dgst: with configuration alone, with options alone, in
# both orders, with property queries, at every size. Flows 6 to 12.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
key=$(key_hash release)
before=$(signatures "$key")

head -c 64 /dev/urandom >64
head -c 100000 /dev/urandom >100k
head -c 16777216 /dev/urandom >16M
head -c 16777217 /dev/urandom >over
pubkey pub.pem

sign() { # what it shows, then options of pkeyutl before -sign's own
    local why=$1
    shift
    rm -f sig
    must openssl pkeyutl "$@" -sign -inkey mpc:release -rawin -in 64 -out sig
    must verify pub.pem 64 sig
    n=$((n + 1))
    same "$(signatures "$key")" "$n" "signatures after: $why"
}
n=$before

# 6: nothing but the configuration; and its own verification
sign "configuration alone"
must openssl pkeyutl -verify -inkey mpc:release -rawin -in 64 -sigfile sig
openssl rand -out bad 64
refuse 'Signature Verification Failure' openssl pkeyutl -verify \
    -inkey mpc:release -rawin -in 64 -sigfile bad

# 7, 8: by options, over the configuration and without any
sign "-provider mpc" -provider mpc
sign "mpc, default" -provider mpc -provider default
sign "default, mpc" -provider default -provider mpc
conf=$OPENSSL_CONF modules=$OPENSSL_MODULES
unset OPENSSL_MODULES
export OPENSSL_CONF=/dev/null
for order in "mpc" "mpc default" "default mpc"; do
    options=()
    for p in $order; do
        options+=(-provider "$p")
    done
    sign "$order, no configuration" -provider-path "$modules" "${options[@]}"
done
export OPENSSL_CONF=$conf OPENSSL_MODULES=$modules

# 9: property queries
sign "provider=mpc" -propquery provider=mpc
sign "?provider=mpc" -propquery '?provider=mpc'
refuse . openssl pkeyutl -propquery provider=default -sign \
    -inkey mpc:release -rawin -in 64 -out x
same "$(signatures "$key")" "$n" "a query for default signed"

# 11: every size
for f in 100k 16M; do
    must openssl pkeyutl -sign -inkey mpc:release -rawin -in $f -out $f.sig
    must verify pub.pem $f $f.sig
    n=$((n + 1))
done
refuse '16777217.*16777216' openssl pkeyutl -sign -inkey mpc:release -rawin \
    -in over -out x
one_error
same "$(signatures "$key")" "$n" "signatures of all sizes"

# 10, 12: 3.0 can do neither for Ed25519, whoever holds the key; 3.5 can
if openssl_is 3.5; then
    must openssl pkeyutl -sign -inkey mpc:release -in 64 -out sig
    must verify pub.pem 64 sig
    must openssl dgst -sign mpc:release -out sig 64
    must verify pub.pem 64 sig
else
    refuse . openssl pkeyutl -sign -inkey mpc:release -in 64 -out x
    refuse 'Key type not supported' openssl dgst -sign mpc:release -out x 64
    same "$(signatures "$key")" "$n" "what 3.0 refuses signed"
fi
