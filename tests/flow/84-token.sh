#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A node moves to a PKCS#11 token (SoftHSM) and on to another key in it, while
# the cluster signs; the token's key destroyed, what it sealed is gone, and the
# node says so.
. "$(dirname "$0")/lib.sh"
mkdir "$tmp/tokens"
cat >"$tmp/softhsm2.conf" <<END
directories.tokendir = $tmp/tokens
objectstore.backend = file
log.level = ERROR
END
export SOFTHSM2_CONF=$tmp/softhsm2.conf
must softhsm2-util --init-token --free --label 'node 2' --pin 271828 \
    --so-pin 314159
module=$(ls /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so \
    2>/dev/null | head -1)
echo 271828 >"$tmp/pin"

up "$tmp/dev"
echo hello >"$tmp/f"
cnf=$MPC_DEV/node2/daemon.cnf
status2() {
    curl -sf --unix-socket "$(conf node2 socket)" http://x/v1/status |
        jq -r "$1"
}
whole() { [ -z "$(status2 '.problems[]')" ]; }
# again LIST KEYS: node2 under these
again() {
    "$mpcsign" dev kill node2 >/dev/null 2>&1 || true
    sed -i -e '/^master_key/d' -e '/^pkcs11_/d' "$cnf"
    cat >>"$cnf" <<END
master_key = $1
pkcs11_module = $module
pkcs11_token = node 2
pkcs11_key = $2
pkcs11_pin_file = $tmp/pin
END
    "$mpcsign" dev start node2
}
identity=$(status2 .identity)

must again 'pkcs11, snp+peers' first
same "$(status2 .master_key)" pkcs11 status
same "$(status2 .identity)" "$identity" 'identity after the move'
wait_for 10 whole
must psign "$tmp/f" "$tmp/f.sig"

# the next key in the token; node keys are sealed anew
must again 'pkcs11, snp+peers' 'second, first'
wait_for 10 whole
must again 'pkcs11, snp+peers' second
wait_for 10 whole
same "$(status2 .identity)" "$identity" 'identity after the second move'

# what no helper and no token may do: a wrong PIN, a lost key
echo 1234 >"$tmp/pin"
refuse 'pkcs11: C_Login: the PIN is wrong' timeout 20 \
    "$build/bin/mpc-sidecar" -c "$cnf"
echo 271828 >"$tmp/pin"
"$mpcsign" dev kill node2 >/dev/null 2>&1 || true
rm -rf "$tmp/tokens"/*
must softhsm2-util --init-token --free --label 'node 2' --pin 271828 \
    --so-pin 314159
refuse 'has no AES key .second. any more: what was sealed under it is unrec' \
    timeout 20 "$build/bin/mpc-sidecar" -c "$cnf"
# the others sign on
must psign "$tmp/f" "$tmp/f.sig"
