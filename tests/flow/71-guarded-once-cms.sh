#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# People approve, and openssl cms signs with a key made for that; stock tools
# verify it, at that time, after its certificate expired. Then mpcsign sign
# makes all three kinds in one session, a slot each.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
head -c 50000 /dev/urandom >app
head -c 50000 /dev/urandom >other
ca=$MPC_DEV/ca.pem
must "$mpcsign" key ref guarded-once --cms -O once.pem

approve() { # ID
    must "$mpcsign" approve "$1" --as alice --role engineer --file app
    must "$mpcsign" approve "$1" --as bob --role steward
    must "$mpcsign" approve "$1" --as carol --role steward
}
cms() { # out
    openssl cms -sign -binary -in app -signer mpc:guarded-once -inkey once.pem \
        -outform DER -out "$1"
}
births() { log_entries | grep -ac 'mpc-birth/1' || true; }

# nobody has approved: no key is made
n=$(births)
refuse 'mpcsign request FILE --profile guarded-once' cms x
id=$("$mpcsign" request app --profile guarded-once --slots cms 2>err)
export MPC_SESSION=$id
refuse 'missing 1 engineer' cms x
[ ! -s x ] || fail "signed without approvals"
same "$(births)" "$n" "births before approvals"

approve "$id"
must cms app.p7s
same "$(births)" $((n + 1)) "births after approvals"
at=$(date +%s)
judge() { # p7s
    must openssl cms -verify -binary -inform DER -in "$1" -content app \
        -CAfile "$ca" -attime "$at" -out out
    cmp -s app out || fail "$1: another content came out"
    must certtool --p7-verify --inder --infile "$1" --load-data app \
        --load-ca-certificate "$ca"
    grep -q 'Signature status: ok' "$tmp/out" || fail "$1: certtool"
    must "$mpcsign" cms verify app --cms "$1" --allow-simulated
    ! openssl_is 3.5 || must stock cms -verify -binary -inform DER -in "$1" \
        -content app -CAfile "$ca" -attime "$at" -out out
    refuse . openssl cms -verify -binary -inform DER -in "$1" \
        -content other -CAfile "$ca" -attime "$at" -out out
    refuse . certtool --p7-verify --inder --infile "$1" --load-data other \
        --load-ca-certificate "$ca"
}
judge app.p7s
# tomorrow, too, if one asks for the time at which it was made
refuse 'expired' faketime -f +1d openssl cms -verify -binary -inform DER \
    -in app.p7s -content app -CAfile "$ca" -out out
must faketime -f +1d openssl cms -verify -binary -inform DER -in app.p7s \
    -content app -CAfile "$ca" -attime "$at" -out out

# once is once
sleep 1.1
refuse . cms again.p7s
[ ! -s again.p7s ] || fail "a second signature"
unset MPC_SESSION

# everything from one approval
all() { # ENTRIES PROFILE [--session ID]
    local entries=$1 profile=$2
    shift 2
    must "$mpcsign" sign app --profile "$profile" "$@" -s all.sig \
        --cms all.p7s --cert all.pem --sigstore all.sigstore.json \
        --bundle all.json -o json
    cp "$tmp/out" all.out
    same "$(jq -r '.slots | map(.kind) | sort | join(",")' all.out)" \
        cms,dsse,raw "slots"
    same "$(jq -r .evidence all.out)" true "evidence"
    at=$(date +%s)
    stock x509 -in all.pem -pubkey -noout >all.pub
    must verify all.pub app all.sig
    judge all.p7s
    must "$mpcsign" verify app --bundle all.json \
        --policy "$MPC_DEV/policy.json" --allow-simulated
    same "$(jq -r .mediaType all.sigstore.json)" \
        application/vnd.dev.sigstore.bundle.v0.3+json "sigstore bundle"
    id=$(jq -r .session all.out)
    same "$(log_entries | grep -ac "^session $id")" "$entries" \
        "entries of that session: its birth if any, and an intent a slot"
}
id=$("$mpcsign" request app --profile guarded-once --slots raw,cms,dsse 2>err)
approve "$id"
all 4 guarded-once --session "$id"
refuse . "$mpcsign" sign app --profile guarded-once --session "$id" -s x
all 4 once
all 3 release
