#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An issuer key in a token: SoftHSM behind pkcs11-provider, which Debian has
# from 13 on. Outside ./check; inside such a root:
#
#     tests/flow/debian13.sh ROOT ca
set -euo pipefail
need=(softhsm2 opensc pkcs11-provider)
dpkg-query -W "${need[@]}" >/dev/null 2>&1 || {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends "${need[@]}" >/dev/null
}
. "$(dirname "$0")/lib.sh"
module=$(find /usr/lib -name libsofthsm2.so | head -1)
provider=$(find /usr/lib -path '*ossl-modules/pkcs11.so' | head -1)
[ -n "$module" ] && [ -n "$provider" ] || fail "no SoftHSM or no provider"

# ---- a token with one Ed25519 key
mkdir "$tmp/tokens"
cat >"$tmp/softhsm.conf" <<CNF
directories.tokendir = $tmp/tokens
objectstore.backend = file
log.level = ERROR
CNF
export SOFTHSM2_CONF=$tmp/softhsm.conf
must softhsm2-util --init-token --free --label ca --pin 1234 --so-pin 5678
must pkcs11-tool --module "$module" --token-label ca --login --pin 1234 \
    --keypairgen --key-type EC:edwards25519 --label issuer --id 01
echo 1234 >"$tmp/pin"
cat >"$tmp/token.cnf" <<CNF
openssl_conf = init
[init]
providers = provider_sect
[provider_sect]
default = default_sect
pkcs11 = pkcs11_sect
[default_sect]
activate = 1
[pkcs11_sect]
module = $provider
pkcs11-module-path = $module
pkcs11-module-token-pin = file:$tmp/pin
pkcs11-module-quirks = no-deinit
activate = 1
CNF
uri="pkcs11:token=ca;object=issuer;type=private"
must env OPENSSL_CONF="$tmp/token.cnf" openssl pkey -in "$uri" -pubout

# ---- a CA with that key: its root, and leaves under it
up "$tmp/dev"
"$mpcsign" dev kill ca >"$tmp/out" 2>&1
printf '%s\n' "key = $uri" "root = $tmp/root.pem" >>"$MPC_DEV/ca/daemon.cnf"
# by hand, as a unit of systemd would: Environment=OPENSSL_CONF=…
OPENSSL_CONF=$tmp/token.cnf "$build/bin/mpc-ca" -c "$MPC_DEV/ca/daemon.cnf" \
    >"$tmp/ca.log" 2>&1 &
servers[$!]=1
wait_for 10 grep -q "listening.*peers" "$tmp/ca.log"
grep -q 'ca.key.*no threshold key' "$tmp/ca.log" || fail "no warning"
must env OPENSSL_CONF="$tmp/token.cnf" "$mpcsign" ca init \
    --self-signed "$uri" --out "$tmp/made.pem"
cmp -s "$tmp/made.pem" "$tmp/root.pem" || fail "mpc-ca has another root"
must "$mpcsign" cert release "$tmp/leaf.pem"
must stock verify -x509_strict -CAfile "$tmp/root.pem" "$tmp/leaf.pem"
refuse error stock verify -CAfile "$MPC_DEV/ca.pem" "$tmp/leaf.pem"
head -c 3000 /dev/urandom >"$tmp/f"
must openssl cms -sign -binary -nosmimecap -in "$tmp/f" -signer mpc:release \
    -inkey "$MPC_DEV/release.pem" -outform DER -out "$tmp/f.p7s"
must stock cms -verify -binary -inform DER -in "$tmp/f.p7s" \
    -content "$tmp/f" -CAfile "$tmp/root.pem" -out "$tmp/back"
