#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where the page may listen and to whom it answers: plain http on loopback
# only, https elsewhere, one name, the same port after a restart, strangers'
# rows and no others.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"

# ---- the same place after a restart ----------------------------------------

code() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
same "$(code "$MPC_APPROVE_URL/")" 200 "the page"
must "$mpcsign" dev restart node1
same "$(code "$MPC_APPROVE_URL/")" 200 "the page after a restart"
same "$("$mpcsign" dev env | sed -n "s/^export MPC_APPROVE_URL='\(.*\)'/\1/p")" \
    "$MPC_APPROVE_URL" MPC_APPROVE_URL

# ---- what a stranger gets ----------------------------------------------------

for path in /v1/status /v1/keys /v1/policy /v1/enrolments /v1/audit \
    /v1/cert/release /v1/bundle/x; do
    same "$(code "$MPC_APPROVE_URL$path")" 404 "$path for strangers"
done
json='Content-Type: application/json'
for path in /v1/sign /v1/policy /v1/key/create /v1/invite; do
    same "$(code -H "$json" -d '{}' "$MPC_APPROVE_URL$path")" 404 \
        "$path for strangers"
done
same "$(code -H "$json" -d '{}' "$MPC_APPROVE_URL/v1/approval")" 400 \
    "an empty approval"
same "$(code -H "$json" -H 'Origin: https://evil.test' -d '{}' \
    "$MPC_APPROVE_URL/v1/approval")" 403 "another page's post"
same "$(code -H 'Host: evil.test' "$MPC_APPROVE_URL/")" 403 "another name"
# a session nobody signed for a quorum's key is no session
head -c 600000 /dev/zero | tr '\0' ' ' >"$tmp/large"
same "$(code -H "$json" --data-binary "@$tmp/large" \
    "$MPC_APPROVE_URL/v1/session")" 413 "a session over the row's limit"

# ---- an SSH key by invite, from the terminal ----------------------------------

invite=$("$mpcsign" policy invite erin --role steward 2>/dev/null)
same "${invite%%#*}" "$MPC_APPROVE_URL/enrol" "address of an invite"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/erin" -C ''
must "$mpcsign" policy enrol --invite "$invite" --ssh-key "$tmp/erin"
refuse 'used already' "$mpcsign" policy enrol --invite "$invite" \
    --ssh-key "$tmp/erin"
refuse 'want one of' "$mpcsign" policy enrol --invite "$invite"
refuse 'not known here' "$mpcsign" policy enrol --ssh-key "$tmp/erin" \
    --invite 00000000000000000000000000000000
same "$("$mpcsign" policy enrolments -o json |
    jq -r '.enrolments[0] | "\(.person) \(.kind) \(.in_policy)"')" \
    "erin sshsig false" enrolment

# ---- a security key from the terminal, and both into the policy -----------------

# whoever is new gets the role of the invite; the words are the owner's
cp "$MPC_DEV/persons/dave/fido" "$tmp/fido"
invite=$("$mpcsign" policy invite frank --role engineer 2>/dev/null)
words=$("$mpcsign" policy enrol --invite "$invite" \
    --device "soft:$tmp/fido" 2>/dev/null)
same "$(wc -w <<<"$words")" 6 "words to read out"
refuse 'no key that is not' "$mpcsign" policy draft --enrolment mallory
refuse 'one of them' "$mpcsign" policy draft --enrolments --enrolment erin
must "$mpcsign" policy draft --enrolments --out "$tmp/next.json"
same "$(jq -c '[.persons[] | select(.id == "erin" or .id == "frank") |
    [.id, .roles, (.credentials | length)]] | sort' "$tmp/next.json")" \
    '[["erin",["steward"],1],["frank",["engineer"],1]]' "the draft"
version=$("$mpcsign" policy propose "$tmp/next.json" 2>/dev/null)
# a version is not approved unseen, nor by who is no steward
refuse 'mpcsign policy approve' "$mpcsign" approve "$version" --as bob
refuse 'no steward' "$mpcsign" policy approve "$version" --as alice
must "$mpcsign" policy approve "$version" --as bob \
    --device "soft:$MPC_DEV/persons/bob/fido"
grep -q "new key  frank, webauthn: $words" "$tmp/out" ||
    fail "a steward is not shown the words that frank read out"
grep -qF "$(jq -r '.persons[] | select(.id == "frank").credentials[0].key' \
    "$tmp/next.json")" "$tmp/out" || fail "a new key is not shown whole"
ssh-agent -D -a "$tmp/agent" >/dev/null &
servers[$!]=agent
wait_for 10 test -S "$tmp/agent"
export SSH_AUTH_SOCK=$tmp/agent
must ssh-add -q "$MPC_DEV/persons/carol/id_ed25519"
must env -u MPC_DEV "$mpcsign" policy approve "$version"
grep -q 'in force: version 3' "$tmp/out" || fail "carol, by her agent"
refuse 'no key that is not' "$mpcsign" policy draft --enrolments
id=$("$mpcsign" request "$tmp/next.json" --profile guarded 2>/dev/null)
must "$mpcsign" approve "$id" --as frank --device "soft:$tmp/fido"
refuse 'not for$|not for a version' "$mpcsign" policy approve "$id" --as bob
# a lost key: by its words, or all of a person's
must "$mpcsign" policy draft --revoke "frank:${words%% *}" --out "$tmp/next.json"
same "$(jq '[.persons[].credentials[] | select(.revoked)] | length' \
    "$tmp/next.json")" 1 "revoked keys"
refuse '2 keys, want one' "$mpcsign" policy draft --revoke bob:
refuse '0 keys' "$mpcsign" policy draft --revoke mallory
must "$mpcsign" policy draft --revoke bob --revoke frank --out "$tmp/next.json"
same "$(jq '[.persons[].credentials[] | select(.revoked)] | length' \
    "$tmp/next.json")" 3 "revoked keys"

# ---- where it may listen --------------------------------------------------------

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0))
print(s.getsockname()[1])')
conf=$MPC_DEV/node2/daemon.cnf
cp "$conf" "$tmp/node2.cnf"
must "$mpcsign" dev kill node2
# with LINES: node2 as configured so
with() { { cat "$tmp/node2.cnf"; printf '%s\n' "$@"; } >"$conf"; }
with "page_listen = 0.0.0.0:$port"
refuse 'plain http only on loopback' "$mpcsign" dev start node2
stock req -x509 -newkey ed25519 -nodes -keyout "$tmp/key.pem" \
    -out "$tmp/cert.pem" -subj /CN=sign.test -days 2 \
    -addext subjectAltName=DNS:sign.test 2>/dev/null
with "page_listen = 0.0.0.0:$port" "page_tls_cert = $tmp/cert.pem"
refuse 'one is missing' "$mpcsign" dev start node2
with "page_listen = 0.0.0.0:$port" "page_tls_cert = $tmp/cert.pem" \
    "page_tls_key = $tmp/key.pem"
refuse 'page_origin' "$mpcsign" dev start node2
with "page_listen = 0.0.0.0:$port" "page_tls_cert = $tmp/cert.pem" \
    "page_tls_key = $tmp/key.pem" "page_origin = https://sign.test:$port/"
refuse 'no origin' "$mpcsign" dev start node2
with "page_listen = 0.0.0.0:$port" "page_tls_cert = $tmp/cert.pem" \
    "page_tls_key = $tmp/key.pem" "page_origin = https://sign.test:$port"
must "$mpcsign" dev start node2
as_sign() {
    curl -s --cacert "$tmp/cert.pem" --resolve "sign.test:$port:127.0.0.1" \
        "$@" "https://sign.test:$port/"
}
as_sign -D "$tmp/headers" | grep -q 'Waiting for people' || fail "https page"
grep -qi "^content-security-policy: default-src 'none'" "$tmp/headers" ||
    fail "https page without its policy"
if as_sign --tls-max 1.2 >/dev/null; then
    fail "TLS 1.2 was taken"
fi
same "$(curl -sk -o /dev/null -w '%{http_code}' -H 'Host: other.test' \
    "https://127.0.0.1:$port/")" 403 "another name over https"
