#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A peer without a client certificate, with a rogue one, or unattested never
# reaches a handler: neither of a sidecar, nor of the log or the CA.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"

openssl genpkey -algorithm ed25519 -out "$tmp/rogue.key" 2>/dev/null
openssl req -x509 -new -key "$tmp/rogue.key" -subj /CN=rogue -days 2 \
    -addext subjectAltName=URI:mpc://dev/sidecar/node2 \
    -out "$tmp/rogue.pem" 2>/dev/null

cert=$(conf node2 SIDECAR_TLS_CERT)
key=$(conf node2 SIDECAR_TLS_KEY)
[ -r "$cert" ] && [ -r "$key" ] || fail "node2's certificate is not readable"

for target in "node1 /v1/frost/commit" "node1 /v1/policy" \
    "log /v1/log/append" "ca /v1/ca/issue"; do
    read -r who path <<<"$target"
    url=https://$(conf "$who" listen)$path
    c() { curl -sk --max-time 10 -o "$tmp/body" -w '%{http_code}' "$@" \
        --data '{}' "$url" || true; }
    same "$(c)" 000 "$who without a certificate"
    same "$(c --cert "$tmp/rogue.pem" --key "$tmp/rogue.key")" 000 \
        "$who with a rogue certificate"
    same "$(c --tls-max 1.2 --cert "$cert" --key "$key")" 000 "$who, TLS 1.2"
    same "$(c --cert "$cert" --key "$key")" 403 \
        "$who with a stolen certificate, unattested"
    grep -q attestation_required "$tmp/body" || {
        cat "$tmp/body"
        fail "$who: another reason"
    }
done
# and no entry came from any of that
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
