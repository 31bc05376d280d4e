#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What each command costs, counted from the log's intents by key: one
# signature by the key that was named, one by the issuer where a certificate
# is wanted and none is fresh, none for looking. Flow 46; servers, their tests
# and reloads are counted where they run (27 to 29).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
echo hello >f
software_ca
issued release ocsp.crt extendedKeyUsage=OCSPSigning
self_signed web web.crt
cp "$MPC_DEV/release.pem" "$MPC_DEV/web.pem" .
must "$mpcsign" key ref release -O release.ref

declare -A hash
for k in release web ca; do
    hash[$k]=$(key_hash $k)
done
# costs RELEASE WEB CA COMMAND...
costs() {
    local r=$1 w=$2 c=$3
    shift 3
    local want
    want="$((r + $(signatures "${hash[release]}")))"
    want+=" $((w + $(signatures "${hash[web]}")))"
    want+=" $((c + $(signatures "${hash[ca]}")))"
    must "$@"
    same "$(signatures "${hash[release]}") $(signatures "${hash[web]}") $(
        signatures "${hash[ca]}")" "$want" "release, web, ca after: $*"
}

# looking is free
costs 0 0 0 openssl pkey -in mpc:release -pubout -out pub.pem
costs 0 0 0 openssl pkey -in release.ref -pubout -out pub.pem
costs 0 0 0 openssl pkey -in mpc:web -noout -text_pub
costs 0 0 0 openssl storeutl -noout -keys mpc:release
costs 0 0 0 openssl storeutl -noout mpc:web
costs 0 0 0 openssl list -providers
costs 0 0 0 "$mpcsign" status

# one by the key named, and no certificate where none was asked for
sign=(openssl pkeyutl -sign -rawin -in f -out f.sig -inkey)
costs 1 0 0 "${sign[@]}" mpc:release
costs 1 0 0 "${sign[@]}" release.ref
costs 1 0 0 "${sign[@]}" release.pem
costs 0 0 0 openssl pkeyutl -verify -rawin -in f -sigfile f.sig \
    -inkey mpc:release
costs 1 0 0 openssl req -new -key mpc:release -subj /CN=x -out x.csr
costs 0 1 0 openssl req -new -key mpc:web -subj /CN=x -out w.csr
costs 0 1 0 openssl req -x509 -new -key web.pem -subj /CN=x -days 1 -out x.crt
costs 0 1 0 openssl x509 -req -in w.csr -CA x.crt -CAkey mpc:web \
    -CAcreateserial -days 1 -out w.crt
costs 0 1 0 openssl x509 -in web.crt -signkey mpc:web -days 1 -out w.crt

# a certificate is made where none is fresh (CA and sidecar, started anew, know
# of none), and found by those who ask next: also without the CA
costs 0 0 0 "$mpcsign" dev restart ca
costs 0 0 0 openssl x509 -in mpc:release -noout -subject
costs 0 0 0 "$mpcsign" dev restart node1
costs 0 0 1 openssl x509 -in mpc:release -noout -subject
costs 0 0 0 openssl x509 -in mpc:release -noout -subject
costs 0 0 0 openssl storeutl -noout -certs mpc:release
costs 0 0 0 openssl storeutl -noout mpc:release
costs 0 0 0 openssl verify -CAfile "$MPC_DEV/ca.pem" mpc:release
costs 1 0 0 "$mpcsign" cms sign f
costs 1 0 0 openssl cms -sign -binary -in f -signer mpc:release \
    -inkey release.pem -outform DER -out f.p7s
costs 1 0 0 "$mpcsign" sign f -s f.sig
costs 1 0 0 openssl ocsp -index /dev/null -CA ca.crt -rsigner ocsp.crt \
    -rkey mpc:release -issuer ca.crt -serial 1 -respout x.resp -ndays 1
