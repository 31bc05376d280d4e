#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A signature as clients of Sigstore take it, judged by a verifier that shares
# no code with ours (tests/flow/sigstore.py): every check of theirs holds, and
# a bundle changed at any place fails. The log stays a log: fsck, search, watch
# and mirror read those entries; only what a sidecar led gets in.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sigstore.sh"
sample=${MPC_TESTDATA:-$here/../shared/testdata}/tlog/sigstore-interop
sample=$sample/D_dsse_ed_dsse1_ec_v1ck_SET.sigstore.json
[ -e "$sample" ] || sample=
up "$tmp/dev"
head -c 5000 /dev/urandom >"$tmp/app"
head -c 5000 /dev/urandom >"$tmp/other"
bundle "$tmp/app" release "$tmp/b.json"
bundle "$tmp/other" release "$tmp/b2.json"
trusted_root "$tmp/root.json"
id=$(identity "$tmp/b.json")
judge() { # bundle [artifact [identity [issuer [root]]]]
    env -u OPENSSL_MODULES OPENSSL_CONF=/dev/null \
        /usr/bin/python3 "$here/tests/flow/sigstore.py" "$1" \
        "${5:-$tmp/root.json}" "${2:-$tmp/app}" "${3:-$id}" \
        "${4:-$issuer}" "$type" $sample
}
must judge "$tmp/b.json"
grep -q '^ok sct: verifies' "$tmp/out" || fail "no SCT was checked"
must judge "$tmp/b2.json" "$tmp/other"

# a key for one session, and with it all else that a release has
bundle "$tmp/app" once "$tmp/once.json" -s "$tmp/app.sig" --cms "$tmp/app.p7s" \
    --cert "$tmp/app.pem" --bundle "$tmp/app.mpc.json"
must judge "$tmp/once.json" "$tmp/app" "$(identity "$tmp/once.json")"
jq -r .dsseEnvelope.payload "$tmp/once.json" | base64 -d >"$tmp/statement"
session=$(jq -r .predicate.session "$tmp/statement")
jq -r .verificationMaterial.certificate.rawBytes "$tmp/once.json" |
    base64 -d | grep -aq "urn:mpc:session:$session" ||
    fail "the leaf is of another session than the statement: $session"
must "$mpcsign" verify "$tmp/app" --bundle "$tmp/app.mpc.json" \
    --policy "$MPC_DEV/policy.json" --allow-simulated

# ---- what does not hold is refused, and for its own reason
refuse 'statement: of this artifact' judge "$tmp/b.json" "$tmp/other"
refuse 'identity: the one expected' judge "$tmp/b.json" "$tmp/app" \
    mpc://simulated.dev/group/00000000
refuse 'issuer: the one expected' judge "$tmp/b.json" "$tmp/app" "$id" \
    mpc://other/ca
wrong() { refuse 'refused: ' judge "$2"; }
each_wrong wrong
jq -c '.extra = 1' "$tmp/b.json" >"$tmp/wrong.json"
[ -z "$sample" ] ||
    refuse 'members and kinds' judge "$tmp/wrong.json"
# another cluster's root
up "$tmp/dev2"
trusted_root "$tmp/root2.json"
refuse 'refused: ' judge "$tmp/b.json" "$tmp/app" "$id" "$issuer" \
    "$tmp/root2.json"
eval "$("$mpcsign" dev env --dir "$tmp/dev")"

# ---- the key that anyone may read is the one that was exported
curl -sf "$MPC_LOG_URL/v1/sigstore/key" | base64 -w0 >"$tmp/spki"
same "$(cat "$tmp/spki")" \
    "$(jq -r '.ctlogs[0].publicKey.rawBytes' "$tmp/root.json")" "the log's key"
same "$(jq -r '.tlogs[1].publicKey.rawBytes' "$tmp/root.json")" \
    "$(cat "$tmp/spki")" "the log's key again"

# ---- the log is what it was
log() { "$mpcsign" log "$@"; }
must log fsck
must log watch --once --state "$tmp/watch"
grep -q ' 0 alarms' "$tmp/out" || fail "alarms: $(cat "$tmp/out")"
log search --type dsse -o json >"$tmp/found"
same "$(jq '.entries | length' "$tmp/found")" 3 "entries of that kind"
index=$(jq -r '.verificationMaterial.tlogEntries[0].logIndex' "$tmp/b.json")
same "$(jq -r '.entries[0].index' "$tmp/found")" "$index" "its index"
# from the signature to the intent: receipt and entry name the same digest
sig=$(jq -r '.entries[0].signature' "$tmp/found")
receipt() {
    log search --sha256 "$sig" -o json |
        jq -e '[.entries[].type] | sort == ["dsse", "intent", "receipt"]'
}
must wait_for 20 receipt
curl -sf "$MPC_LOG_URL/v1/log/search/$sig" |
    jq -e '.entries | length == 2' >/dev/null || fail "the log's own search"
curl -sf "$MPC_LOG_URL/entry/$index" >"$tmp/page"
grep -q 'clients of Sigstore' "$tmp/page" ||
    fail "the page does not say what it is"
must log prove "$index" -O "$tmp/proof"
must log verify --proof "$tmp/proof"
must "$build/bin/mpc-log" export --url "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY" \
    "$tmp/web"
must log fsck "file:$tmp/web" --vkey "$MPC_LOG_VKEY"

# ---- what gets in: the same again is the same entry, anything else nothing
post() { # node JSON: status, body in $tmp/reply
    curl -s -o "$tmp/reply" -w '%{http_code}' --unix-socket \
        "$MPC_DEV/$1/sidecar.sock" -H 'Content-Type: application/json' \
        -d "$2" http://localhost/v1/sigstore
}
ask() { # bundle [payload of]: the call that made it
    jq -c --slurpfile p "${2:-$1}" '{
        entry: (.verificationMaterial.tlogEntries[0].canonicalizedBody | @base64d),
        statement: ($p[0].dsseEnvelope.payload | gsub("\\+"; "-") |
            gsub("/"; "_") | gsub("="; ""))}' "$1"
}
lead=$(basename "$(dirname "$MPC_SIDECAR")")
stranger=node2
[ "$lead" != node2 ] || stranger=node3
same "$(post "$lead" "$(ask "$tmp/b.json")")" 200 "the same entry again"
same "$(jq -r .index "$tmp/reply")" "$index" "its index again"
same "$(post $stranger "$(ask "$tmp/b.json")")" 404 "a node that did not lead"
grep -q 'did not lead' "$tmp/reply" || fail "$(cat "$tmp/reply")"
post "$lead" "$(ask "$tmp/b.json" "$tmp/b2.json")" >"$tmp/code"
grep -q 'not of this statement' "$tmp/reply" || fail "$(cat "$tmp/reply")"
post "$lead" "$(ask "$tmp/b.json" | jq -c '.entry |= sub("0.0.1"; "0.0.2")')" \
    >"$tmp/code"
grep -q 'dsse' "$tmp/reply" || fail "$(cat "$tmp/reply")"
if [ -n "$sample" ]; then
    post "$lead" "$(ask "$sample")" >"$tmp/code"
    grep -q 'expired' "$tmp/reply" || fail "$(cat "$tmp/reply")"
fi
log search --type dsse -o json >"$tmp/found"
same "$(jq '.entries | length' "$tmp/found")" 3 "entries after all that"

# ---- the key outlives a restart, and so do bundles
must "$mpcsign" dev restart log
again() { curl -sf "$MPC_LOG_URL/v1/sigstore/key" | base64 -w0; }
must wait_for 20 again
same "$(again)" "$(cat "$tmp/spki")" "the log's key after a restart"
wait_for 20 bundle "$tmp/app" release "$tmp/b3.json"
must judge "$tmp/b3.json"
