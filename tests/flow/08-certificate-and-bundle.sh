#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A five-minute leaf under the threshold root, and a bundle that verifies
# offline; what is changed in it does not.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
head -c 5000 /dev/urandom >"$tmp/f"
must "$mpcsign" sign "$tmp/f" -s "$tmp/f.sig" --bundle "$tmp/f.json" \
    --cert "$tmp/chain.pem"
pubkey "$tmp/pub.pem"
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig"

# stock OpenSSL: chain, purpose, key, life
must stock verify -purpose any -CAfile "$MPC_DEV/ca.pem" "$tmp/chain.pem"
stock x509 -in "$tmp/chain.pem" -pubkey -noout >"$tmp/leaf.pub"
cmp -s "$tmp/pub.pem" "$tmp/leaf.pub" || fail "the leaf is of another key"
must stock x509 -in "$tmp/chain.pem" -noout -checkend 1
refuse '' stock x509 -in "$tmp/chain.pem" -noout -checkend 301
stock x509 -in "$tmp/chain.pem" -noout -ext subjectAltName,extendedKeyUsage \
    >"$tmp/ext"
grep -q 'mpc://simulated' "$tmp/ext" || fail "the leaf does not say simulated"
grep -qi 'code signing' "$tmp/ext" || fail "no code signing"

v() { "$mpcsign" verify "$1" --bundle "$2" --policy "$MPC_DEV/policy.json" \
    --allow-simulated; }
# offline: no sidecar, no log
must "$mpcsign" dev down --dir "$tmp/dev"
must v "$tmp/f" "$tmp/f.json"

# simulated evidence is refused unless asked for
if "$mpcsign" verify "$tmp/f" --bundle "$tmp/f.json" \
    --policy "$MPC_DEV/policy.json" >"$tmp/out" 2>&1; then
    fail "simulated was taken for real"
else
    same $? 7 "exit code for simulated"
fi
bad() { # why jq-program
    jq -c "$2" "$tmp/f.json" >"$tmp/bad.json"
    cmp -s "$tmp/f.json" "$tmp/bad.json" && fail "$1: nothing changed"
    refuse . v "$tmp/f" "$tmp/bad.json"
}
flip='(if .[0:1] == "0" then "1" else "0" end) + .[1:]'
bad "signature" ".signature |= ($flip)"
bad "intent index" '.intent.index += 1'
bad "intent text" '.intent.entry |= sub("attempt 1"; "attempt 2")'
bad "checkpoint" '.intent.checkpoint |= sub("\n[0-9]+\n"; "\n999\n")'
bad "endorsement" ".birth.cert.votes[0].sig |= ($flip)"
bad "no birth approvals" '.birth.approvals = []'
bad "another session" ".session.descriptor |= sub(\"^....\"; \"AAAA\")"
echo more >>"$tmp/f"
refuse . v "$tmp/f" "$tmp/f.json"
