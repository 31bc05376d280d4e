#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An OCSP responder signs with the key, and a CMP request proves that it is
# held, against OpenSSL's own mock server. Flows 21 and 22.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
release=$(key_hash release)
software_ca
issued release ocsp.crt extendedKeyUsage=OCSPSigning

# two certificates of the software CA, one of them revoked
for name in good bad; do
    must stock req -new -newkey ed25519 -nodes -keyout $name.key \
        -subj /CN=$name -out $name.csr
    must stock x509 -req -in $name.csr -CA ca.crt -CAkey ca.key \
        -CAcreateserial -days 1 -out $name.crt
done
end=$(date -u -d '+1 day' +%y%m%d%H%M%SZ)
now=$(date -u +%y%m%d%H%M%SZ)
serial() { stock x509 -in "$1.crt" -noout -serial | sed 's/.*=//'; }
printf 'V\t%s\t\t%s\tunknown\t/CN=good\n' "$end" "$(serial good)" >index.txt
printf 'R\t%s\t%s\t%s\tunknown\t/CN=bad\n' "$end" "$now" "$(serial bad)" \
    >>index.txt

# 21: a response made from a file, and one asked for over HTTP
n=$(signatures "$release")
for name in good bad; do
    must stock ocsp -issuer ca.crt -cert $name.crt -no_nonce -reqout $name.req
    must openssl ocsp -index index.txt -CA ca.crt -rsigner ocsp.crt \
        -rkey mpc:release -reqin $name.req -respout $name.resp -ndays 1
    n=$((n + 1))
    same "$(signatures "$release")" $n "one signature a response"
    must stock ocsp -issuer ca.crt -cert $name.crt -no_nonce \
        -respin $name.resp -CAfile ca.crt
    grep -q 'Response verify OK' "$tmp/out" || fail "$name: does not verify"
done
grep -q 'bad.crt: revoked' "$tmp/out" || fail "the revoked one is not"
responder() {
    exec openssl ocsp -index index.txt -CA ca.crt -rsigner ocsp.crt \
        -rkey mpc:release -port "$port" -ndays 1
}
serve responder
must stock ocsp -issuer ca.crt -cert good.crt -url "http://127.0.0.1:$port" \
    -CAfile ca.crt
grep -q 'good.crt: good' "$tmp/out" || fail "asked over HTTP: not good"
stop "$server"
n=$((n + 1))
same "$(signatures "$release")" $n "one signature over HTTP"

# 22: ir, possession proved by the key; the answer is for that key
cmp_client() { # client's and server's options
    openssl cmp -config "$OPENSSL_CONF" -section default -use_mock_srv \
        -rsp_cert ocsp.crt "$@"
}
must cmp_client -cmd ir -newkey mpc:release -subject /CN=release \
    -ref ref -secret pass:x -srv_ref ref -srv_secret pass:x -certout ir.crt
cmp -s <(stock x509 -in ir.crt -pubkey -noout) \
    <(openssl pkey -in mpc:release -pubout) || fail "ir: another key"
n=$((n + 1))
same "$(signatures "$release")" $n "one signature for ir"

# cr, the message protected by the key: 3.0 looks for "Ed25519 with SHA-256"
signed_cr() {
    cmp_client -cmd cr -newkey mpc:release -subject /CN=release \
        -cert ocsp.crt -key mpc:release -trusted ca.crt -certout cr.crt \
        -srv_cert good.crt -srv_key good.key -srv_trusted ca.crt
}
if openssl_is 3.5; then
    must signed_cr
else
    refuse 'unsupported key type|error creating' signed_cr
fi
