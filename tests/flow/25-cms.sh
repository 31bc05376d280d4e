#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CMS with Ed25519 (RFC 8419): `openssl cms -sign` by configuration alone,
# `mpcsign cms`, each verified by the other, by GnuTLS, and where it can by
# stock OpenSSL; what cannot be done fails closed and says so.
# Flows 23 to 29 (BouncyCastle, 27: bouncycastle.sh).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
release=$(key_hash release)
head -c 50000 /dev/urandom >f
head -c 50000 /dev/urandom >other
key=$MPC_DEV/release.pem
ca=$MPC_DEV/ca.pem
n=$(signatures "$release")

# every verifier there is, for a detached DER signature of f
verified() {
    local p7s=$1
    must openssl cms -verify -binary -inform DER -in "$p7s" -content f \
        -CAfile "$ca" -out out
    cmp -s f out || fail "$p7s: another content came out"
    must certtool --p7-verify --inder --infile "$p7s" --load-data f \
        --load-ca-certificate "$ca"
    grep -q 'Signature status: ok' "$tmp/out" || fail "$p7s: certtool"
    must "$mpcsign" cms verify f --cms "$p7s" --ca "$ca" --allow-simulated
    ! openssl_is 3.5 || must stock cms -verify -binary -inform DER \
        -in "$p7s" -content f -CAfile "$ca" -out out
    # and none of them for other bytes
    refuse . openssl cms -verify -binary -inform DER -in "$p7s" \
        -content other -CAfile "$ca" -out out
    refuse . certtool --p7-verify --inder --infile "$p7s" --load-data other \
        --load-ca-certificate "$ca"
    refuse . "$mpcsign" cms verify other --cms "$p7s" --ca "$ca" \
        --allow-simulated
}
signed() { # COMMAND: it makes one signature
    must "$@"
    n=$((n + 1))
    same "$(signatures "$release")" "$n" "signatures after: $*"
}

# 23: openssl, 25, 26: verified
signed openssl cms -sign -binary -in f -signer mpc:release -inkey "$key" \
    -outform DER -out f.p7s
verified f.p7s
stock asn1parse -inform DER -in f.p7s >asn1
same "$(grep -c ':sha512$' asn1)" 2 "SHA-512 as digest, alone"
signed openssl cms -sign -binary -md sha512 -nosmimecap -in f \
    -signer mpc:release -inkey "$key" -outform DER -out f.p7s
verified f.p7s

# the content inside, as PEM, as S/MIME; the chain along with it
signed openssl cms -sign -binary -nodetach -in f -signer mpc:release \
    -inkey "$key" -certfile "$ca" -outform PEM -out f.pem
must openssl cms -verify -inform PEM -in f.pem -CAfile "$ca" -out out
cmp -s f out || fail "nodetach: another content came out"
must openssl cms -cmsout -inform PEM -in f.pem -outform DER -out f.der
must certtool --p7-verify --inder --infile f.der --load-ca-certificate "$ca"
echo 'a letter' >letter
signed openssl cms -sign -text -in letter -signer mpc:release -inkey "$key" \
    -out letter.eml
must openssl cms -verify -text -in letter.eml -CAfile "$ca" -out out
tr -d '\r' <out | cmp -s - letter || fail "S/MIME: another letter came out"

# beside an ordinary signer, in either order
must stock req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.crt \
    -subj /CN=rsa -days 2
signed openssl cms -sign -binary -in f -signer rsa.crt -inkey rsa.key \
    -signer mpc:release -inkey "$key" -outform DER -out two.p7s
signed openssl cms -sign -binary -in f -signer mpc:release -inkey "$key" \
    -signer rsa.crt -inkey rsa.key -outform DER -out two.p7s
cat "$ca" rsa.crt >both.pem
must openssl cms -verify -binary -inform DER -in two.p7s -content f \
    -CAfile both.pem -out out
must openssl cms -sign -binary -in f -signer rsa.crt -inkey rsa.key \
    -outform DER -out rsa.p7s
must stock cms -verify -binary -inform DER -in rsa.p7s -content f \
    -CAfile rsa.crt -out out

# 24: our own tool
signed "$mpcsign" cms sign f
verified f.p7s

# 3.5 and newer need no bridge, only the digest said
must "$mpcsign" key ref release -O release.ref
if openssl_is 3.5; then
    signed openssl cms -sign -binary -md sha512 -in f -signer mpc:release \
        -inkey release.ref -outform DER -out f.p7s
    verified f.p7s
fi

# 28, 29: fail closed, with a line that says what is the matter, nothing left
closed() {
    rm -f x
    refuse "$@"
    [ ! -s x ] || fail "something was written: $*"
    same "$(signatures "$release")" "$n" "what fails signed: $*"
}
closed 'leave out -noattr' openssl cms -sign -noattr -binary -in f \
    -signer mpc:release -inkey "$key" -outform DER -out x
must "$mpcsign" cert release chain.pem
sed -n '1,/^-----END/p' chain.pem >leaf.pem
must "$mpcsign" key ref release -O release.ref
cat >tsa.cnf <<EOF
$(sed 's/^openssl_conf.*/&\noid_section = none/' "$OPENSSL_CONF")
[none]
[tsa]
default_tsa = t
[t]
serial = $work/serial
signer_digest = sha512
default_policy = 1.2.3.4
digests = sha256, sha512
ess_cert_id_alg = sha256
EOF
echo 01 >serial
software_ca
issued release tsa.crt extendedKeyUsage=critical,timeStamping
n=$(signatures "$release")
must stock ts -query -data f -sha512 -no_nonce -out f.tsq
closed 'mpc:.*use CMS: openssl cms -sign' openssl smime -sign -binary -in f \
    -signer leaf.pem -inkey "$key" -outform DER -out x
for k in "$key" release.ref; do
    closed 'PKCS7 routines.*(not supported|signature error)' \
        openssl smime -sign -binary -in f -signer leaf.pem -inkey "$k" \
        -outform DER -out x
    # ts ends with 0 whatever happened: its reply is a rejection
    must openssl ts -reply -config tsa.cnf -queryfile f.tsq \
        -signer tsa.crt -inkey "$k" -out x.tsr
    grep -q 'signing not supported for this key type' "$tmp/out" ||
        fail "ts does not say why"
    must stock ts -reply -in x.tsr -text
    grep -q 'Status: Rejected' "$tmp/out" || fail "ts made a token"
    same "$(signatures "$release")" "$n" "ts signed"
done
