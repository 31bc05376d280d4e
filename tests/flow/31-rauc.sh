#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# RAUC makes an update bundle signed with the key and verifies it, stock, by
# configuration alone. Flow 40.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
release=$(key_hash release)
must "$mpcsign" cert release chain.pem
sed -n '1,/^-----END/p' chain.pem >leaf.pem
n=$(signatures "$release")

mkdir content
head -c 300000 /dev/urandom >content/rootfs.img
cat >content/manifest.raucm <<EOF
[update]
compatible=board
version=1

[bundle]
format=verity

[image.rootfs]
filename=rootfs.img
EOF
must rauc bundle --cert=leaf.pem --key="$MPC_DEV/release.pem" \
    --keyring="$MPC_DEV/ca.pem" content update.raucb
same "$(signatures "$release")" $((n + 1)) "signatures of rauc bundle"
must rauc info --keyring="$MPC_DEV/ca.pem" update.raucb
grep -q 'Verified inline signature' "$tmp/out" ||
    fail "rauc info does not say that it verified"
grep -q "Compatible:.*'board'" "$tmp/out" || fail "rauc info shows no manifest"

# what was changed, or is of another root, is refused
must stock req -x509 -newkey ed25519 -nodes -keyout other.key -out other.pem \
    -subj /CN=other -days 2
refuse 'signature|verif' rauc info --keyring=other.pem update.raucb
size=$(stat -c %s update.raucb)
cp update.raucb changed.raucb
printf X | dd of=changed.raucb bs=1 seek=$((size - 300)) conv=notrunc \
    2>/dev/null
refuse . rauc info --keyring="$MPC_DEV/ca.pem" changed.raucb

# certified by a CA of one's own, for longer than minutes
software_ca
issued release long.pem keyUsage=critical,digitalSignature \
    extendedKeyUsage=codeSigning,emailProtection
must rauc bundle --cert=long.pem --key="$MPC_DEV/release.pem" \
    --keyring=ca.crt content long.raucb
must rauc info --keyring=ca.crt long.raucb
grep -q 'Verified inline signature' "$tmp/out" ||
    fail "rauc info does not say that it verified the long-lived one"

# a plain reference cannot sign CMS on 3.0: nothing is left behind
if ! openssl_is 3.5; then
    must "$mpcsign" key ref release -O release.ref
    refuse . rauc bundle --cert=leaf.pem --key=release.ref content x.raucb
    [ ! -e x.raucb ] || fail "rauc left a bundle without a signature"
fi
