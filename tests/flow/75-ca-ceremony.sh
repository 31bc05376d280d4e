#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The root of a new issuer key, made by stewards one after the other, lost and
# found again; a CA with a key in a file; and what is said when the CA, its
# signers or the log are down. Leaves in the eyes of openssl and certtool.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
ca() { "$mpcsign" ca "$@"; }
set_conf() { # LINE...: of the CA, which starts anew
    local cnf=$MPC_DEV/ca/daemon.cnf
    [ -f "$cnf.plain" ] || cp "$cnf" "$cnf.plain"
    { cat "$cnf.plain"; printf '%s\n' "$@"; } >"$cnf"
    must "$mpcsign" dev restart ca
}
sha() { "$mpcsign" ca show -o json | jq -r .sha256; }
der_sha() { stock x509 -in "$1" -outform DER | sha256sum | cut -d' ' -f1; }

# ---- what dev up made: the same ceremony
same "$(sha)" "$(der_sha "$MPC_DEV/ca.pem")" "the root that ca show shows"
must ca chain --out "$tmp/chain.pem"
same "$(der_sha "$tmp/chain.pem")" "$(sha)" "the root of ca chain"
refuse 'mpc-ca has its root: .*dev root' ca init --out "$tmp/second.pem"
same "$(ca init -o json 2>"$tmp/err" | jq -r .error.name)" exists "its error"
[ ! -e "$tmp/second.pem" ] && [ ! -e "$tmp/second.pem.tbs" ] ||
    fail "a second root was begun"

# ---- leaves: stock openssl with its default purpose, and certtool
head -c 3000 /dev/urandom >"$tmp/f"
must openssl cms -sign -binary -nosmimecap -in "$tmp/f" -signer mpc:release \
    -inkey "$MPC_DEV/release.pem" -outform DER -out "$tmp/f.p7s"
must openssl cms -verify -binary -inform DER -in "$tmp/f.p7s" -content "$tmp/f" \
    -CAfile "$MPC_DEV/ca.pem" -out "$tmp/back"
must "$mpcsign" cert release "$tmp/leaf.pem"
must stock verify -x509_strict -purpose smimesign -CAfile "$MPC_DEV/ca.pem" \
    "$tmp/leaf.pem"
must certtool --verify --verify-profile=medium --infile "$tmp/leaf.pem" \
    --load-ca-certificate "$MPC_DEV/ca.pem"
must certtool --p7-verify --inder --infile "$tmp/f.p7s" --load-data "$tmp/f" \
    --load-ca-certificate "$MPC_DEV/ca.pem"
# asked again it is the same one, until most of its life is over
must "$mpcsign" cert release "$tmp/again.pem"
cmp -s "$tmp/leaf.pem" "$tmp/again.pem" || fail "the leaf was not kept ready"

# ---- another issuer key: its root is put to the stewards
"$mpcsign" policy draft >"$tmp/draft.json" 2>"$tmp/err"
jq '.profiles += [.profiles[] | select(.name == "ca") | .name = "ca2"]' \
    "$tmp/draft.json" >"$tmp/next.json"
id=$("$mpcsign" policy propose "$tmp/next.json" 2>"$tmp/err")
must "$mpcsign" policy approve "$id" --as bob
must "$mpcsign" policy approve "$id" --as carol
must "$mpcsign" key create ca2 --as dev --approve bob carol
set_conf "key = mpc:ca2" "root = $tmp/kept.pem" \
    "public_listen = 127.0.0.1:0"
public=$(sed -n 's/.*listening.*public=.* port=\([0-9]*\)$/\1/p' "$MPC_DEV/ca/log" |
    tail -1)
refuse 'it is made once: mpcsign ca init' "$mpcsign" cert release
refuse 'issuer key' ca init --key release --out "$tmp/root.pem"
id=$(ca init --key ca2 --out "$tmp/root.pem" --no-wait 2>"$tmp/err")
same "${#id}" 64 "length of the id"
grep -q "ca show --file $tmp/root.pem.tbs" "$tmp/err" || fail "what to look at"
must ca show --file "$tmp/root.pem.tbs"
grep -q '/CN=dev root' "$tmp/out" || fail "ca show --file"
must "$mpcsign" approve "$id" --as bob --role steward \
    --file "$tmp/root.pem.tbs"
refuse 'is not what the session asks for' "$mpcsign" approve "$id" --as carol \
    --role steward --file "$tmp/f"
[ ! -e "$tmp/root.pem" ] || fail "one steward made a root"
"$mpcsign" ca init --key ca2 --out "$tmp/root.pem" --session "$id" \
    >"$tmp/init.out" 2>&1 &
servers[$!]=1
pid=$!
sleep 0.5
kill -0 $pid || { cat "$tmp/init.out"; fail "it did not wait for carol"; }
must "$mpcsign" approve "$id" --as carol --role steward \
    --file "$tmp/root.pem.tbs"
wait $pid || { cat "$tmp/init.out"; fail "the ceremony"; }
unset "servers[$pid]"
grep -q '^root .*dev root' "$tmp/init.out" || fail "what came of it"
[ ! -e "$tmp/root.pem.tbs" ] || fail "the bytes to be signed are still there"
cmp -s "$tmp/root.pem" "$tmp/kept.pem" || fail "mpc-ca has another root"
must stock verify -check_ss_sig -x509_strict -CAfile "$tmp/root.pem" \
    "$tmp/root.pem"
must "$mpcsign" cert release "$tmp/leaf.pem"
must stock verify -CAfile "$tmp/root.pem" "$tmp/leaf.pem"
refuse 'error' stock verify -CAfile "$MPC_DEV/ca.pem" "$tmp/leaf.pem"
# the root is public: without a certificate, from CA and page
curl -sf "http://127.0.0.1:$public/ca.pem" | cmp -s - "$tmp/root.pem" ||
    fail "ca.pem of public_listen"
same "$(curl -sf "http://127.0.0.1:$public/ca.der" | sha256sum |
    cut -d' ' -f1)" "$(sha)" "ca.der of public_listen"
same "$(curl -sf "$MPC_APPROVE_URL/v1/ca/chain" | python3 -c 'import base64, \
    hashlib, json, sys
b = json.load(sys.stdin)["chain"][0] + "=="
print(hashlib.sha256(base64.urlsafe_b64decode(b)).hexdigest())')" "$(sha)" \
    "the page's chain"

# ---- lost: no second one is signed, the one there was is taken again
mv "$tmp/root.pem" "$tmp/found.pem"
rm "$tmp/kept.pem"
refuse 'signed another root for ca2 already' ca init --key ca2 \
    --out "$tmp/root.pem" --as dev --approve bob carol
refuse 'missing 1 steward' ca init --key ca2 --out "$tmp/root.pem" --as dev \
    --approve bob
[ ! -e "$tmp/kept.pem" ] || fail "mpc-ca has a root"
for n in node1 node2 node3; do
    MPC_SIDECAR=$(conf $n socket) "$mpcsign" audit >"$tmp/rows"
    grep -q 'signed another root for ca2' "$tmp/rows" && found=$n
done
[ -n "${found:-}" ] || fail "no signer has it on record"
rm "$tmp/root.pem.tbs"
refuse 'is no root of this key' ca init --key ca2 --out "$MPC_DEV/ca.pem"
must ca init --key ca2 --out "$tmp/found.pem"
cmp -s "$tmp/found.pem" "$tmp/kept.pem" || fail "it was not handed in"

# ---- somebody says no
rm "$tmp/kept.pem"
id=$(ca init --key ca --out "$tmp/no.pem" --no-wait 2>"$tmp/err")
must "$mpcsign" deny "$id" --as bob --role steward
refuse 'denied' ca init --key ca --out "$tmp/no.pem" --session "$id"
refuse 'does not ask for the root' ca init --key ca2 --out "$tmp/other.pem" \
    --session "$id"
cp "$tmp/found.pem" "$tmp/kept.pem"

# ---- two issuers: a bundle has the birth of the one whose root it is
must "$mpcsign" cert release "$tmp/leaf.pem"
must "$mpcsign" sign "$tmp/f" --cert "$tmp/leaf.pem" --bundle "$tmp/b.json"
must "$mpcsign" trust export --out "$tmp/trust.json" --root "$tmp/kept.pem"
must "$mpcsign" verify "$tmp/f" --bundle "$tmp/b.json" \
    --policy "$tmp/trust.json" --allow-simulated

# ---- down: the CA
must "$mpcsign" cert release "$tmp/leaf.pem"
must "$mpcsign" dev kill ca
must "$mpcsign" cert release "$tmp/again.pem" # kept by the sidecar
cmp -s "$tmp/leaf.pem" "$tmp/again.pem" || fail "another leaf without a CA"
refuse 'mpc-ca does not answer.*no new certificate for guarded.*persistent keys go on.*ephemeral sessions cannot be certified.*systemctl start mpc-ca' \
    "$mpcsign" cert guarded
must psign "$tmp/f" "$tmp/f.sig"
must "$mpcsign" dev start ca
must "$mpcsign" cert guarded "$tmp/guarded.pem"
# the log
must "$mpcsign" dev restart ca # it forgets what it issued
must "$mpcsign" dev restart node1
wait_for 20 psign "$tmp/f" "$tmp/f.sig" # its evidence is in the log
must "$mpcsign" dev kill log
refuse 'the log does not answer|log' "$mpcsign" cert release
cp "$tmp/out" "$tmp/log.down"
grep -q 'nothing is signed, with any key' "$tmp/log.down" || {
    cat "$tmp/log.down"
    fail "what the log's end stops"
}
must "$mpcsign" dev start log
wait_for 20 "$mpcsign" cert release
# its signers
must "$mpcsign" dev restart ca
must "$mpcsign" dev restart node1
must "$mpcsign" dev kill node2
must "$mpcsign" dev kill node3
refuse 'issuer key mpc:ca2 does not sign.*nobody gets a new certificate' \
    "$mpcsign" cert release
must "$mpcsign" dev start node2
must "$mpcsign" dev start node3
wait_for 20 "$mpcsign" cert release

# ---- a key in a file: no signer judges what it signs, and the CA says so
stock genpkey -algorithm ed25519 -out "$tmp/issuer.key"
set_conf "key = file:$tmp/issuer.key" "root = $tmp/file.pem"
grep -q 'ca.key.*no threshold key' "$MPC_DEV/ca/log" || fail "no warning"
must ca init --self-signed "file:$tmp/issuer.key" --out "$tmp/file-root.pem"
cmp -s "$tmp/file-root.pem" "$tmp/file.pem" || fail "the file key's root"
must "$mpcsign" cert release "$tmp/leaf.pem"
must stock verify -CAfile "$tmp/file.pem" "$tmp/leaf.pem"
# who reads its bundles pins its root: no birth stands behind that
must "$mpcsign" sign "$tmp/f" --cert "$tmp/leaf.pem" --bundle "$tmp/b.json"
must "$mpcsign" trust export --root "$tmp/file.pem" --out "$tmp/trust.json"
must "$mpcsign" verify "$tmp/f" --bundle "$tmp/b.json" \
    --policy "$tmp/trust.json" --allow-simulated
must "$mpcsign" trust export --root "$MPC_DEV/ca.pem" --out "$tmp/other.json"
refuse 'certificate .*another root' "$mpcsign" verify "$tmp/f" \
    --bundle "$tmp/b.json" --policy "$tmp/other.json" --allow-simulated
jq '.root = ""' "$tmp/trust.json" >"$tmp/none.json"
refuse 'certificate .*pins no root' "$mpcsign" verify "$tmp/f" \
    --bundle "$tmp/b.json" --policy "$tmp/none.json" --allow-simulated
stock genpkey -algorithm ed25519 -out "$tmp/other.key"
mv "$tmp/file.pem" "$tmp/file.gone"
refuse "another key than file:$tmp/issuer.key" ca init --self-signed \
    "file:$tmp/other.key" --out "$tmp/x.pem"
refuse 'key file:/nowhere' ca init --self-signed file:/nowhere \
    --out "$tmp/y.pem"
