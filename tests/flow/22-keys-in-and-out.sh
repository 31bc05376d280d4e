#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The public half goes where it is asked for, as text and DER; the reference
# serves as key file; a private half never comes out, and says why; the store
# shows keys and certificates. Flows 13 to 16. None of it signs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
key=$(key_hash release)
before=$(signatures "$key")

# 13: pkey
must openssl pkey -in mpc:release -pubout -out pub.pem
must openssl pkey -in mpc:release -pubout -outform DER -out pub.der
must stock pkey -pubin -in pub.pem -pubout -outform DER -out again.der
cmp -s pub.der again.der || fail "PEM and DER differ"
must openssl pkey -in mpc:release -check -noout
must openssl pkey -in mpc:release -pubcheck -noout
must openssl pkey -pubin -in mpc:release -pubout -out pub2.pem
cmp -s pub.pem pub2.pem || fail "-pubin gave another key"
stock pkey -pubin -in pub.pem -noout -text_pub | sed 1d >stock.txt
openssl pkey -in mpc:release -noout -text_pub | grep '^ ' >ours.txt
same "$(tr -d ' \n' <ours.txt)" "$(grep '^ ' stock.txt | tr -d ' \n')" -text_pub

# 14: the reference instead of the name
for name in release web; do
    must "$mpcsign" key ref $name -O $name.ref
    must openssl pkey -in $name.ref -pubout -out $name.pub
    openssl pkey -in mpc:$name -pubout | cmp -s - $name.pub ||
        fail "$name.ref is another key"
done
echo hello >f
must openssl pkeyutl -sign -inkey release.ref -rawin -in f -out f.sig
must verify release.pub f f.sig
same "$(signatures "$key")" $((before + 1)) "one signature by the reference"
# made where no sidecar is, read where one is
must env MPC_SIDECAR=none.sock "$mpcsign" key ref release --offline -O off.ref
cmp -s release.ref off.ref || fail "the reference made offline differs"
# OpenSSL writes the reference where a private key was asked for
must openssl pkey -in mpc:release -out written.ref
cmp -s release.ref written.ref || fail "pkey writes another reference"
sed 's/^bXBj/bXBx/' release.ref >bad.ref
refuse . openssl pkey -in bad.ref -pubout

# 15: out comes no private key, in any form
private() {
    refuse 'shared among machines|can not be written|cannot be exported' "$@"
    [ ! -s x ] || fail "something was written: $*"
    rm -f x
}
for in in mpc:release release.ref; do
    private openssl pkey -in $in -outform DER -out x
    private openssl pkey -in $in -traditional -out x
    refuse 'reference is not encrypted' openssl pkey -in $in -aes256 \
        -passout pass:secret -out x
    rm -f x
done
private openssl pkcs8 -topk8 -nocrypt -in release.ref -out x
self_signed web web.crt
refuse . openssl pkcs12 -export -inkey mpc:web -in web.crt -passout pass:x \
    -out x
[ ! -s x ] || fail "pkcs12 wrote something"

# 16: storeutl
must openssl storeutl -noout -text -keys mpc:release
must openssl storeutl -noout -certs mpc:release
grep -q '^Total found: 2$' "$tmp/out" || fail "not leaf and root"
must openssl storeutl -noout mpc:release
grep -q '^Total found: 3$' "$tmp/out" || fail "not key, leaf and root"
must openssl storeutl -noout mpc:web
grep -q '^Total found: 1$' "$tmp/out" || fail "a tls key with certificates"
must openssl x509 -in mpc:release -noout -checkend 1
must openssl verify -CAfile "$MPC_DEV/ca.pem" mpc:release
must openssl storeutl -noout -certs -subject '/CN=dev root' mpc:release
grep -q '^Total found: 1$' "$tmp/out" || fail "the root is not found by name"
# a store of trusted certificates: the root is looked for by its name
must openssl x509 -in mpc:release -out leaf.pem
must openssl verify -CAstore mpc:release leaf.pem
refuse 'unable to get local issuer' openssl verify -no-CAstore leaf.pem
same "$(signatures "$key")" $((before + 1)) "all but one signed nothing"
