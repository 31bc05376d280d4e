#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Persons decide from their command lines: an SSH key file, an ssh-agent and a
# FIDO2 key in one session, then stock openssl signs. And all the ways in which
# nothing is signed.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
unset MPC_SESSION
persons=$MPC_DEV/persons
ca=$MPC_DEV/ca.pem
cd "$tmp"
head -c 100000 /dev/urandom >app
head -c 100000 /dev/urandom >other
must "$mpcsign" key ref guarded -O guarded.pub.pem
must "$mpcsign" key ref guarded --cms -O guarded.pem

# ask [more]: a request that waits in the background; its $id and $asked
ask() {
    rm -f id
    "$mpcsign" request app --profile guarded --slots raw,cms \
        --reason 'release 2.4' --wait "$@" >id 2>ask.err &
    asked=$!
    servers[$asked]=1
    wait_for 20 test -s id
    id=$(cat id)
    [[ $id =~ ^[0-9a-f]{64}$ ]] || fail "request printed no id: $id"
}
# ended CODE WORDS: how that request ended, and what it said
ended() {
    local code=0
    wait "$asked" || code=$?
    unset "servers[$asked]"
    same "$code" "$1" "exit code of request --wait"
    grep -q "$2" ask.err || { cat ask.err; fail "it said nothing of $2"; }
}
state() { "$mpcsign" status "$id" -o json | jq -r "$1"; }
approve() { must "$mpcsign" approve "$id" "$@"; }
raw() {
    openssl pkeyutl -sign -provider mpc -provider default \
        -inkey mpc:guarded -rawin -in "$1" -out "$2"
}

# must hold 2: a key file, an agent and a security key, mixed in one session
ssh-agent -D -a "$tmp/agent" >/dev/null &
servers[$!]=1
wait_for 10 test -S agent
export SSH_AUTH_SOCK=$tmp/agent
cp "$persons/bob/id_ed25519.pub" bob.pub
must ssh-add -q "$persons/bob/id_ed25519"
ask
export MPC_SESSION=$id
refuse "$id" raw app x # names the session, and what to do
grep -q 'mpcsign approve' out || fail "no command to run"
unset MPC_SESSION
approve --as alice --role engineer --ssh-key "$persons/alice/id_ed25519" \
    --file app
approve --as bob --role steward --ssh-key bob.pub
same "$(state .state)" open "two of three"
approve --as carol --role steward --device "soft:$persons/carol/fido"
ended 0 'the session is approved'
grep -q 'carol .*approved as steward, security key' ask.err ||
    fail "progress names no security key"
same "$(state '[.records[].way] | sort | join(",")')" fido2,ssh,ssh ways
export MPC_SESSION=$id
must raw app app.sig
must openssl cms -sign -binary -in app -signer mpc:guarded -inkey guarded.pem \
    -outform DER -out app.p7s
unset MPC_SESSION
must openssl pkey -provider mpc -provider default -in mpc:guarded -pubout \
    -out pub
verify pub app app.sig || fail "pkeyutl's signature"
must openssl cms -verify -binary -inform DER -in app.p7s -content app \
    -CAfile "$ca" -purpose any -out /dev/null
wait_for 20 eval '[ "$(state .state)" = used ]'

# the page of a session, by its first digits; of the node
must "$mpcsign" status "${id:0:8}"
for words in "session      $id" "code         ${id:0:8}" 'reason .*release 2.4' \
    'alice .*approved as engineer, SSH key' "$(sha256sum <app | cut -c1-64)" \
    'slot         cms    used'; do
    grep -q "$words" out || { cat out; fail "status says nothing of $words"; }
done
refuse 'begins so' "$mpcsign" status 00000000000000000000

# who is not named is found: by the agent's key, the role by the policy
ask
must env -u MPC_DEV "$mpcsign" approve "$id"
grep -q 'approved by bob as steward' out || fail "the agent's key is bob's"
must "$mpcsign" status
grep -q "session      ${id:0:8} open: guarded by dev, app" out ||
    fail "status lists no open session"

# twice counts once; nobody for two, for others, in another role, for oneself
approve --as bob
same "$(state '.have.steward')" 1 "the same steward twice"
refuse 'bob' "$mpcsign" approve "$id" --as bob --role engineer
refuse 'credential' "$mpcsign" approve "$id" --as carol \
    --ssh-key "$persons/dave/id_ed25519"
refuse 'no credential of this person' "$mpcsign" approve "$id" --as carol \
    --device "soft:$persons/bob/fido"
refuse 'dev' "$mpcsign" approve "$id" --as dev --role engineer
refuse 'no such person' "$mpcsign" approve "$id" --as mallory --role engineer
must ssh-keygen -q -t ed25519 -N '' -f stranger
refuse 'no person of the policy' env -u MPC_DEV "$mpcsign" approve "$id" \
    --ssh-key stranger
same "$(state '.have.engineer')" 0 "an engineer"

# another file is refused before anything is signed
refuse 'is not what the session asks for' "$mpcsign" approve "$id" --as alice \
    --file other
code=0
"$mpcsign" approve "$id" --as alice --file other >/dev/null 2>&1 || code=$?
same "$code" 10 "exit code for another file"
same "$(state '.have.engineer')" 0 "nothing was recorded"

# an interrupt ends the waiting, and the session stays; as does a time limit
stop_asking() {
    kill -TERM "$asked"
    ended 143 "mpcsign status $id -w"
}
stop_asking
same "$(state .state)" open "after the interrupt"
ask --timeout 1
ended 3 'waits for 1 engineer, 2 stewards'

# a denial ends whoever waits, and nobody approves after it
ask
"$mpcsign" status "$id" -w -o json >watched &
watcher=$!
servers[$watcher]=1
wait_for 10 test -s watched
must "$mpcsign" deny "$id" --as dave
grep -q 'it stands' out || { cat out; fail "does the denial stand?"; }
ended 4 'denied by dave'
refuse 'den' "$mpcsign" approve "$id" --as alice
export MPC_SESSION=$id
refuse 'den' raw app x
unset MPC_SESSION
code=0
wait "$watcher" || code=$?
unset "servers[$watcher]"
same "$code" 4 "exit code of status -w"
same "$(jq -rs 'map(.state // .error.name) | join(",")' watched)" \
    open,denied,denied "what status -w said"

# revoked before it signs; expired
ask
approve --as alice
same "$(state '.have.engineer')" 1 "before it is revoked"
must "$mpcsign" revoke "$id" --as alice
same "$(state '.have.engineer')" 0 "after it is revoked"
stop_asking
ask --ttl 2
ended 5 'its time has passed'

# sign asks by itself, and goes on when it may
"$mpcsign" sign app --profile guarded -s own.sig --cms own.p7s \
    --bundle own.json --reason 'by itself' 2>sign.err &
signer=$!
servers[$signer]=1
wait_for 20 grep -q 'mpcsign approve [0-9a-f]' sign.err
id=$(sed -n 's/.*mpcsign approve \([0-9a-f]*\).*/\1/p' sign.err | head -1)
approve --as alice --file app
approve --as bob
approve --as carol --device "soft:$persons/carol/fido"
wait "$signer" || { cat sign.err; fail "sign, once approved"; }
unset "servers[$signer]"
verify pub app own.sig || fail "sign's signature"
must "$mpcsign" verify app --bundle own.json --policy "$MPC_DEV/policy.json" \
    --allow-simulated

# at a terminal a person is asked, and sees a QR code of the page
ask
terminal() { script -qec "$*" /dev/null; }
refuse 'nothing was signed' terminal "$mpcsign approve $id --as alice" <<<n
same "$(state '.have.engineer')" 0 "after a no"
must terminal "$mpcsign approve $id --as alice" <<<y
same "$(state '.have.engineer')" 1 "after a yes"
stop_asking
export MPC_APPROVE_URL=${MPC_APPROVE_URL:-http://localhost:8443}
must terminal "$mpcsign request app --profile guarded"
grep -q '▀' out || fail "no QR code at a terminal"
must "$mpcsign" request app --profile guarded
grep -q "page     $MPC_APPROVE_URL/s/[0-9a-f]" out || fail "no URL"
! grep -q '▀' out || fail "a QR code without a terminal"
must "$mpcsign" request app --profile guarded --qr
grep -q '▀' out || fail "no QR code with --qr"
