#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configuration alone brings the keys and takes nothing away: what is listed,
# the drop-in after the stock file, a missing module, ordinary Ed25519 keys,
# library contexts of one's own. Flows 1 to 5, 42 to 44.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
echo hello >f

# 1, 2, 3: what is there
openssl list -providers >out
grep -q 'mpcsign' out || fail "no provider mpc"
grep -q 'OpenSSL Default Provider' out || fail "no default provider"
openssl list -signature-algorithms >out
grep -q '^  mpc-ed25519 @ mpc$' out || fail "mpc-ed25519 is not listed"
openssl list -store-loaders >out
grep -q '^  mpc @ mpc$' out || fail "no loader for mpc:"

# host: things that have nothing to do with us
host() {
    openssl dgst -sha256 f &&
        openssl genpkey -algorithm ED25519 -out own.key &&
        openssl pkeyutl -sign -rawin -in f -inkey own.key -out own.sig &&
        openssl pkey -in own.key -pubout -out own.pub &&
        openssl pkeyutl -verify -rawin -in f -pubin -inkey own.pub \
            -sigfile own.sig &&
        openssl req -x509 -new -key own.key -subj /CN=own -days 1 \
            -addext subjectAltName=DNS:localhost -out own.crt &&
        openssl pkcs12 -export -inkey own.key -in own.crt -passout pass:x \
            -out own.p12 &&
        openssl pkcs12 -in own.p12 -passin pass:x -nodes -out own.pem &&
        openssl verify -CAfile own.crt own.crt &&
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
            -out rsa.key &&
        openssl req -x509 -new -key rsa.key -subj /CN=rsa -days 1 \
            -addext subjectAltName=DNS:localhost -out rsa.crt &&
        tls
}
# tls: handshakes of ordinary keys
tls() {
    python3 "$here/tests/flow/tls_pair.py" own.crt own.key &&
        python3 "$here/tests/flow/tls_pair.py" rsa.crt rsa.key
}
# 43: ordinary keys are as they were
must host

# 4: the drop-in after the file the system ships, and alone
mkdir openssl.cnf.d
cp "$here/openssl.cnf.d/mpc.cnf" openssl.cnf.d/
cp /etc/ssl/openssl.cnf appended.cnf
echo ".include $work/openssl.cnf.d" >>appended.cnf
for cnf in "$work/appended.cnf" "$work/openssl.cnf.d/mpc.cnf"; do
    OPENSSL_CONF=$cnf must openssl pkeyutl -sign -rawin -in f -out f.sig \
        -inkey mpc:release
    OPENSSL_CONF=$cnf must openssl list -providers
    same "$(grep -c 'status: active' "$tmp/out")" 2 "active providers"
done
# the bare file has no [req]; the appended one serves everything
OPENSSL_CONF=$work/appended.cnf must host

# 5: the module is missing: only our keys are
sed 's|^module = .*|module = /nonexistent/mpc.so|' "$OPENSSL_CONF" >missing.cnf
OPENSSL_CONF=$work/missing.cnf must host
OPENSSL_CONF=$work/missing.cnf refuse 'unregistered scheme|No store loader found' openssl pkeyutl \
    -sign -rawin -in f -out x -inkey mpc:release

# a sidecar that is not there: likewise
MPC_SIDECAR=$work/none.sock must host
MPC_SIDECAR=$work/none.sock refuse "none.sock" openssl pkeyutl \
    -sign -rawin -in f -out x -inkey mpc:release
one_error

# 43, the other order: mpc first. All but genpkey, which asks no further
# than the first provider (see provider-mpc(7)).
sed -e '/^default = default_sect$/d' \
    -e 's/^mpc = mpc_sect$/&\ndefault = default_sect/' "$OPENSSL_CONF" \
    >mpc-first.cnf
for what in 'pkeyutl -sign -rawin -in f -inkey own.key -out own.sig' \
    'pkeyutl -verify -rawin -in f -pubin -inkey own.pub -sigfile own.sig' \
    'req -x509 -new -key own.key -subj /CN=own -days 1 -out own2.crt' \
    'verify -CAfile own2.crt own2.crt' \
    'pkcs12 -export -inkey own.key -in own.crt -passout pass:x -out own.p12' \
    'pkcs12 -in own.p12 -passin pass:x -nodes -out own.pem' \
    'pkeyutl -sign -rawin -in f -out f.sig -inkey mpc:release'; do
    OPENSSL_CONF=$work/mpc-first.cnf must openssl $what
done

OPENSSL_CONF=$work/mpc-first.cnf must tls

# 42, 44: by the library's calls, in contexts of one's own
self_signed web web.crt
must timeout 60 python3 "$here/tests/flow/contexts.py" "$OPENSSL_CONF" web.crt
