# SPDX-License-Identifier: Apache-2.0
# What 76-sigstore.sh and cosign.sh share: a bundle, the trusted root, and the
# ways in which a bundle may be wrong. Sourced after lib.sh, never run.

# bundle FILE KEY OUT [more]
bundle() {
    must "$mpcsign" sign "$1" --profile "$2" --sigstore "$3" "${@:4}"
}
# trusted_root OUT
trusted_root() { must "$mpcsign" trust export --sigstore --out "$1"; }
# identity BUNDLE: the leaf's name
identity() {
    jq -r .verificationMaterial.certificate.rawBytes "$1" | base64 -d |
        stock x509 -inform DER -noout -ext subjectAltName |
        sed -n 's/.*URI://p'
}
issuer=mpc://dev/ca
type=https://dev/threshold-signature/v1

# each_wrong COMMAND...: COMMAND WHY BUNDLE for each bundle that is $tmp/b.json
# changed at one place; $tmp/b2.json is another good one
each_wrong() {
    local why program
    while IFS='|' read -r why program; do
        why=$(sed "s/ *$//" <<<"$why")
        jq -c --slurpfile other "$tmp/b2.json" "
            def flip: if startswith(\"A\") then \"B\" + .[1:]
                      else \"A\" + .[1:] end;
            def other: \$other[0];
            def entry: .verificationMaterial.tlogEntries[0];
            $program" "$tmp/b.json" >"$tmp/wrong.json"
        cmp -s <(jq -cS . "$tmp/b.json") <(jq -cS . "$tmp/wrong.json") &&
            fail "$why: nothing changed"
        "$@" "$why" "$tmp/wrong.json"
    done <<'EOF'
proof hash            | (entry | .inclusionProof.hashes[0]) |= flip
a hash too few        | (entry | .inclusionProof.hashes) |= .[1:]
a hash too many       | (entry | .inclusionProof.hashes) |= . + [.[0]]
root hash             | (entry | .inclusionProof.rootHash) |= flip
tree size             | (entry | .inclusionProof.treeSize) |= "\(tonumber + 1)"
index in the proof    | (entry | .inclusionProof.logIndex) |= "\(tonumber - 1)"
index                 | (entry | .logIndex) |= "\(tonumber - 1)"
integrated time       | (entry | .integratedTime) |= "\(tonumber + 1)"
integrated too late   | (entry | .integratedTime) |= "\(tonumber + 3600)"
entry timestamp       | (entry | .inclusionPromise) = (other | entry | .inclusionPromise)
checkpoint            | (entry | .inclusionProof.checkpoint) = (other | entry | .inclusionProof.checkpoint)
a second signature    | (entry | .inclusionProof.checkpoint.envelope) |= . + (other | entry | .inclusionProof.checkpoint.envelope | split("\n")[-2] + "\n")
another entry         | (entry | .canonicalizedBody) = (other | entry | .canonicalizedBody)
another log           | (entry | .logId.keyId) |= flip
another kind          | (entry | .kindVersion.kind) = "hashedrekord"
signature             | .dsseEnvelope.signatures[0].sig |= flip
another signature     | .dsseEnvelope.signatures = other.dsseEnvelope.signatures
another statement     | .dsseEnvelope.payload = other.dsseEnvelope.payload
another file's        | .dsseEnvelope = other.dsseEnvelope
payload type          | .dsseEnvelope.payloadType = "application/json"
certificate           | .verificationMaterial.certificate.rawBytes |= (.[0:300] + (.[300:] | flip))
EOF
}
