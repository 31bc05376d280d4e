#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Custody on a laptop: each node's share is backed up to a custodian of its
# own; stewards decide who gets the files; a drill says what one is and lets
# nothing out; t of them are the key, t - 1 are nothing.
. "$(dirname "$0")/lib.sh"
dir=$tmp/cluster
up "$dir"
recon=$build/bin/mpc-reconstruct
b=$tmp/backups
who=(--as dev --approve bob carol)

"$mpcsign" status >"$tmp/status"
grep -qE '^backup +release +epoch 1, made .* ago, 1 custodian$' "$tmp/status" ||
    { cat "$tmp/status"; fail "status says nothing of a backup"; }
! grep -q '^NEXT' "$tmp/status" || fail "$(grep '^NEXT' "$tmp/status")"
"$mpcsign" doctor >"$tmp/doctor" || true
grep -qE '^ok +backup' "$tmp/doctor" || fail "doctor says nothing of backups"

refuse 'not approved|steward' "$mpcsign" key backup release --out "$b" \
    --as dev --approve bob
must "$mpcsign" key backup release --out "$b" "${who[@]}"
for i in 1 2 3; do
    [ -s "$b/release.epoch1.node$i.msh1" ] || fail "no backup of node$i"
    same "$(stat -c %a "$b/release.epoch1.node$i.msh1")" 600 "mode of a backup"
done
drill() { # node custodian
    "$mpcsign" key recover --dry-run release \
        --backup "$b/release.epoch1.node$1.msh1" \
        --custodian-key "$dir/custodians/node$2" \
        --certificate "$b/release.epoch1.birth.json" "${@:3}"
}
for i in 1 2 3; do
    must drill $i $i
done
drill 2 2 -o json | jq -e '.node == 2 and .epoch == 1' >/dev/null ||
    fail "what a drill says in JSON"
refuse 'other custodians' drill 1 2
# another key's certificate
must "$mpcsign" key backup web --out "$b" "${who[@]}"
refuse 'another key' "$mpcsign" key recover --dry-run release \
    --backup "$b/release.epoch1.node1.msh1" \
    --custodian-key "$dir/custodians/node1" \
    --certificate "$b/web.epoch1.birth.json"
# one byte of it
cp "$b/release.epoch1.node3.msh1" "$tmp/bad"
printf '\001' | dd of="$tmp/bad" bs=1 seek=270 conv=notrunc status=none
refuse 'altered' "$mpcsign" key recover --dry-run release --backup "$tmp/bad" \
    --custodian-key "$dir/custodians/node3" \
    --certificate "$b/release.epoch1.birth.json"
# a node that lives keeps its share and takes no other
refuse 'holds a share' "$mpcsign" key recover release \
    --backup "$b/release.epoch1.node2.msh1" \
    --custodian-key "$dir/custodians/node2" \
    --certificate "$b/release.epoch1.birth.json" \
    --policy "$dir/policy.json" --node 1 "${who[@]}"

# a custodian's key is as it was made, and its passphrase is needed
echo 'correct horse' >"$tmp/pass"
must "$mpcsign" custodian new --out "$tmp/custodian" \
    --passphrase-file "$tmp/pass"
same "$(stat -c %a "$tmp/custodian")" 600 "mode of a custodian's key"
grep -qE '^[0-9a-f]{64}$' "$tmp/custodian.pub" || fail "no public half"
refuse 'there already' "$mpcsign" custodian new --out "$tmp/custodian"
echo wrong >"$tmp/wrong"
refuse 'another passphrase' "$mpcsign" key recover --dry-run release \
    --backup "$b/release.epoch1.node1.msh1" --custodian-key "$tmp/custodian" \
    --certificate "$b/release.epoch1.birth.json" --passphrase-file "$tmp/wrong"
refuse 'other custodians' "$mpcsign" key recover --dry-run release \
    --backup "$b/release.epoch1.node1.msh1" --custodian-key "$tmp/custodian" \
    --certificate "$b/release.epoch1.birth.json" --passphrase-file "$tmp/pass"

must "$mpcsign" key export-share release --out "$tmp/share" "${who[@]}"
same "$(head -c 4 "$tmp/share")" MSH1 "an exported share"
refuse 'no custodian can open' "$mpcsign" key recover --dry-run release \
    --backup "$tmp/share" --custodian-key "$dir/custodians/node1" \
    --certificate "$b/release.epoch1.birth.json"

# the service is gone for good
must pubkey "$tmp/pub.pem"
must "$mpcsign" dev down --dir "$dir"
echo "the last release" >"$tmp/msg"
of() { # nodes: the options for their backups
    for i in "$@"; do
        printf '%s\n' --backup "$b/release.epoch1.node$i.msh1" \
            --custodian-key "$dir/custodians/node$i"
    done
}
mapfile -t two < <(of 1 3)
mapfile -t one < <(of 2)
refuse 'nothing was done' "$recon" release "${two[@]}" --sign "$tmp/msg" \
    --out "$tmp/sig" </dev/null
[ ! -e "$tmp/sig" ] || fail "signed without its name being typed"
"$recon" release "${two[@]}" --sign "$tmp/msg" --out "$tmp/sig" \
    2>"$tmp/said" <<<release || { cat "$tmp/said"; fail "t backups"; }
grep -q 'RECONSTRUCTION OF A WHOLE SIGNING KEY' "$tmp/said" ||
    fail "it is not loud"
verify "$tmp/pub.pem" "$tmp/msg" "$tmp/sig" || fail "it does not sign as release"
refuse '1 of the 2 backups' "$recon" release "${one[@]}" --sign "$tmp/msg" \
    --out "$tmp/sig1" --yes-i-know-this-ends-the-custody-of-this-key
[ ! -e "$tmp/sig1" ] || fail "one backup signed"
