#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A break-glass profile with another one's key, from every program that looks a
# key up by name: public key, certificate, openssl, CMS, bundle, verify, status.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
unset MPC_SESSION
cd "$tmp"
echo 'the fix' >fix

"$mpcsign" policy draft | jq '.profiles += [.profiles[] |
    select(.name == "guarded") | .name = "emergency" |
    .required = {engineer: 0, steward: 2} | .certificate = null |
    .break_glass = true | .key_of = "guarded"]' >next.json
id=$("$mpcsign" policy propose next.json --reason 'for the night' 2>err)
must "$mpcsign" policy approve "$id" --as bob
must "$mpcsign" policy approve "$id" --as carol
cp next.json policy.json

# the same key under both names, and its certificate
for name in guarded emergency; do
    must openssl pkey -provider mpc -provider default -in mpc:$name -pubout \
        -out $name.pub
    must "$mpcsign" cert $name $name.crt
    must openssl x509 -in $name.crt -noout
done
cmp -s guarded.pub emergency.pub || fail "two names, two keys"

raw() {
    openssl pkeyutl -sign -provider mpc -provider default \
        -inkey mpc:emergency -rawin -in fix -out fix.sig
}
refuse 'needs approval by 0 engineers and 2 stewards' raw
refuse '20' "$mpcsign" request fix --profile emergency --reason soon
s=$("$mpcsign" request fix --profile emergency --slots raw,cms \
    --reason 'the registry is on fire, ticket 4711' 2>err)
must "$mpcsign" approve "$s" --as bob --role steward
must "$mpcsign" approve "$s" --as carol --role steward
MPC_SESSION=$s must raw
verify emergency.pub fix fix.sig || fail "the signature does not verify"
"$mpcsign" status >out
grep -q 'the registry is on fire' out || fail "status says nothing of it"

# with all its evidence
s=$("$mpcsign" request fix --profile emergency --slots raw,cms \
    --reason 'the registry is on fire, ticket 4711' 2>err)
must "$mpcsign" approve "$s" --as bob --role steward
must "$mpcsign" approve "$s" --as carol --role steward
must "$mpcsign" sign fix --profile emergency --session "$s" -s own.sig \
    --cms own.p7s --bundle own.json
must "$mpcsign" verify fix --bundle own.json --policy policy.json \
    --policy "$MPC_DEV/policy.json" --allow-simulated
grep -q 'profile emergency' out || fail "verify does not say which profile"
