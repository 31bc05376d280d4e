#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Requests and certificates: req, x509, ca, verified by stock OpenSSL. A key
# certifies only itself: what a policy allows to class tls and no more.
# Flows 17 to 20.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
web=$(key_hash web)
n=$(signatures "$web")
signed() { # COMMAND: it makes one signature by mpc:web
    must "$@"
    n=$((n + 1))
    same "$(signatures "$web")" "$n" "signatures after: $*"
}

# 17: a request, verified by stock OpenSSL and certified by somebody
signed openssl req -new -key mpc:web -subj /CN=leaf -out web.csr
must stock req -in web.csr -verify -noout
signed openssl req -new -sha256 -key mpc:web -subj /CN=localhost -out web2.csr
must stock req -in web2.csr -verify -noout
software_ca
must stock x509 -req -in web.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
    -days 1 -out web.by-ca.crt
must stock verify -CAfile ca.crt web.by-ca.crt
must openssl req -new -key mpc:release -subj /CN=release -out release.csr
must stock req -in release.csr -verify -noout

# 18: a certificate of one's own, of the class that may
signed openssl req -x509 -new -key mpc:web -subj /CN=localhost -days 2 \
    -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=keyCertSign,cRLSign,digitalSignature -out web.crt
must stock verify -CAfile web.crt web.crt
signed openssl x509 -in web.crt -signkey mpc:web -days 3 -out web3.crt
must stock verify -CAfile web3.crt web3.crt
refuse 'class artifact signs no certificates' openssl req -x509 -new \
    -key mpc:release -subj /CN=release -days 2 -out x.crt
one_error

# 19: x509 -req: for its own request, not for another's
signed openssl x509 -req -in web.csr -CA web.crt -CAkey mpc:web \
    -CAcreateserial -days 1 -out leaf.crt
must stock verify -CAfile web.crt leaf.crt
refuse 'not the key that is to sign' openssl x509 -req -in release.csr \
    -CA web.crt -CAkey mpc:web -CAcreateserial -days 1 -out x.crt
one_error
# nor by the issuer, which certifies what was born on the log
refuse 'mpc:' openssl x509 -req -in release.csr -CA "$MPC_DEV/ca.pem" \
    -CAkey mpc:ca -CAcreateserial -CAserial ca.srl -days 1 -out x.crt
one_error

# 20: openssl ca, and a list that revokes what it certified
mkdir new
: >index.txt
echo 01 >serial
echo 01 >crlnumber
cat "$OPENSSL_CONF" - >ca.cnf <<EOF
[ca]
default_ca = tls_ca
[tls_ca]
dir = $work
database = $work/index.txt
serial = $work/serial
crlnumber = $work/crlnumber
new_certs_dir = $work/new
default_md = default
default_days = 1
default_crl_days = 1
policy = any
[any]
commonName = supplied
EOF
for md in default sha256; do
    : >index.txt
    signed openssl ca -config ca.cnf -batch -notext -md $md -in web.csr \
        -cert web.crt -keyfile mpc:web -out by-ca.crt
    must stock verify -CAfile web.crt by-ca.crt
done
must openssl ca -config ca.cnf -revoke by-ca.crt \
    -cert web.crt -keyfile mpc:web
signed openssl ca -config ca.cnf -gencrl -cert web.crt -keyfile mpc:web \
    -out web.crl
must stock crl -in web.crl -CAfile web.crt -noout
grep -q 'verify OK' "$tmp/out" || fail "the list does not verify"
refuse 'revoked' stock verify -crl_check -CRLfile web.crl -CAfile web.crt \
    by-ca.crt
refuse 'class issuer signs no CRL' openssl ca -config ca.cnf -gencrl \
    -cert "$MPC_DEV/ca.pem" -keyfile mpc:ca -out x.crl
one_error
same "$(signatures "$web")" "$n" "what was refused signed"
