#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is requested and approved at one node is signed at another with
# MPC_SESSION alone; a denial told to one node stops all; errors say who is
# missing and what to run; a killed node is caught up.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
cd "$tmp"
head -c 5000 /dev/urandom >app
at() { # NODE: the socket to talk to
    export MPC_SIDECAR=$MPC_DEV/node$1/sidecar.sock
    [ -S "$MPC_SIDECAR" ] || MPC_SIDECAR=$(conf "node$1" socket)
}
state() { # ID JQ
    curl -sf --unix-socket "$MPC_SIDECAR" "http://x/v1/session/$1/state" |
        jq -r "$2"
}
is() { [ "$(state "$1" .state)" = "$2" ]; }
pk() { # out
    openssl pkeyutl -sign -provider mpc -provider default \
        -inkey mpc:guarded -rawin -in app -out "$1"
}
cms() { # out
    openssl cms -sign -binary -in app -signer mpc:guarded \
        -inkey "$tmp/guarded.pem" -outform DER -out "$1"
}
"$mpcsign" key ref guarded --cms >guarded.pem

# no session is named: how to make one
refuse 'mpcsign request FILE --profile guarded --wait' pk x
refuse '1 engineers and 2 stewards' pk x

# a session that waits: who is missing, and what they type
at 1
id=$("$mpcsign" request app --profile guarded --slots raw,cms 2>err)
export MPC_SESSION=$id
refuse "$id" pk x
refuse 'missing 1 engineer \(alice, dave\) and 2 stewards' pk x
refuse "mpcsign approve $id" pk x
refuse 'missing 1 engineer' cms x
refuse "mpcsign approve $id" cms x

# each approves at another node; a third one signs
wait_for 10 is "$id" open
for n in 1 2 3; do
    at $n
    wait_for 10 is "$id" open
done
must "$mpcsign" approve "$id" --as alice --role engineer --file app
at 2
must "$mpcsign" approve "$id" --as bob --role steward
at 1
must "$mpcsign" approve "$id" --as carol --role steward
for n in 1 2 3; do
    at $n
    wait_for 10 is "$id" approved
done
must pk app.sig
must cms app.p7s
wait_for 10 is "$id" used
same "$(state "$id" '.slots|map(.state)|join(",")')" used,used slots
same "$(state "$id" .simulated)" true simulated
same "$(curl -sf --unix-socket "$MPC_SIDECAR" http://x/v1/sessions |
    jq -r --arg id "$id" '.sessions[] | select(.session == $id).state')" \
    used "the list"

# denied at one node while another is dead: it stands, and the dead one learns
at 1
id=$("$mpcsign" request app --profile guarded 2>err)
export MPC_SESSION=$id
must "$mpcsign" approve "$id" --as alice --role engineer
must "$mpcsign" approve "$id" --as bob --role steward
must "$mpcsign" approve "$id" --as carol --role steward
for n in 1 2 3; do
    at $n
    wait_for 10 is "$id" approved
done
must "$mpcsign" dev kill node3
at 2
must "$mpcsign" deny "$id" --as dave --role engineer
same "$(state "$id" '"\(.acks.deny) \(.acks.need)"')" "2 2" "who holds it"
for n in 1 2; do
    at $n
    refuse 'denied by dave' pk x
done
must "$mpcsign" dev start node3
at 3
wait_for 20 is "$id" denied
refuse 'denied by dave' pk x
