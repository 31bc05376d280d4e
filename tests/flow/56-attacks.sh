#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Attacks on the attested channel, against daemons that run: each is refused
# for its own reason, the daemon that refused says so in its log, and nothing
# is answered that only peers may ask. tests/attest/attack*.c say of each what
# the attacker has and what stops it.
#
# The attacker is somebody with the files of node3: certificate, key, and the
# road to node3's device. The simulator measures whoever asks it, so for the
# attacker to be *let in* when it plays fair, a policy version lists its
# measurement; before that it is an unlisted program like any other. That it
# is let in then is what makes its refusals mean something.
. "$(dirname "$0")/lib.sh"
attacker=$build/tests/attacker
[ -x "$attacker" ] || {
    echo "skipped: no attacker in this build (MPC_SIMULATED_TEE is off)"
    exit 0
}
up "$tmp/dev"
unset TEE_POLICY_HASH # restarts would honour it, and narrow what they allow
pki=$MPC_DEV/pki

# ---- certificates of the deployment's CA that `dev up` would never issue:
# a second CA in the file of CAs, and daemons that have read it
ca() { # NAME: a CA
    stock req -x509 -newkey ed25519 -nodes -keyout "$tmp/$1.key" \
        -out "$tmp/$1.pem" -subj "/CN=$1" -days 2 \
        -addext 'keyUsage=critical,keyCertSign' 2>"$tmp/err"
}
leaf() { # NAME CA DAYS SAN EKU
    stock req -new -newkey ed25519 -nodes -keyout "$tmp/$1.key" \
        -out "$tmp/$1.csr" -subj "/CN=$1" 2>"$tmp/err"
    printf 'subjectAltName=%s\nextendedKeyUsage=%s\n' "$4" "$5" >"$tmp/ext"
    stock x509 -req -in "$tmp/$1.csr" -CA "$tmp/$2.pem" -CAkey "$tmp/$2.key" \
        -CAcreateserial -days "$3" -extfile "$tmp/ext" -out "$tmp/$1.crt" \
        2>"$tmp/err" || {
        cat "$tmp/err"
        fail "certificate $1"
    }
}
ca second
ca foreign
both=serverAuth,clientAuth
me=mpc://dev/sidecar/node3
leaf expired second -1 URI:$me $both
leaf foreigner foreign 1 URI:$me $both
leaf server second 1 URI:$me serverAuth
leaf two second 1 "URI:$me,URI:mpc://dev/sidecar/node1" $both
leaf nameless second 1 DNS:node3 $both
leaf renewed second 1 URI:$me $both
leaf stranger second 1 URI:mpc://dev/sidecar/node9 $both
leaf prod second 1 URI:mpc://prod/sidecar/node3 $both
cat "$tmp/second.pem" >>"$pki/ca.pem"
# the log's window is short, so that its end can be seen
echo 'attest_window_s = 30' >>"$MPC_DEV/log/daemon.cnf"
for who in log node2; do
    must "$mpcsign" dev restart $who
done
head -c 64 /dev/urandom >"$tmp/f"
wait_for 30 psign "$tmp/f" "$tmp/f.sig"

# ---- the attacker
cert=$pki/node3.crt
key=$pki/node3.key
sim=$(conf node3 device)
sim=${sim#sim:}
line() { # NAME VICTIM OTHER [args]: its command line, into args
    args=("$attacker" "$1" --ca "$pki/ca.pem" --cert "$cert" --key "$key"
        --uri $me --sim "$sim" --to "$(conf "$2" listen)"
        --to-uri "$(conf "$2" uri)" --other "$(conf "$3" listen)"
        --other-uri "$(conf "$3" uri)" "${@:4}")
}
play() {
    local args
    line "$@"
    "${args[@]}"
}
json() { # KEY FILE
    jq -r ".$1" "$2"
}
# next VICTIM: where its log ends now and, of a sidecar, its audit
next() { echo "$(wc -l <"$MPC_DEV/$1/log"):$(rows "$1" 1m 'last.seq')"; }
rows() { # VICTIM SINCE FILTER [VALUE]: of its audit
    [[ $1 != node* ]] || MPC_SIDECAR=$(conf "$1" socket) \
        "$mpcsign" audit --since "$2" -o json |
        jq -e --arg value "${4:-}" ".rows | $3"
}
since() { # VICTIM NEXT: the log from there
    tail -n "+$((${2%:*} + 1))" "$MPC_DEV/$1/log"
}
# on_record VICTIM NEXT WORDS: it says so in its log and, a sidecar, in its
# audit; of whom, as far as it knows: a name, or where from
on_record() {
    local who=${by:-$me}
    since "$1" "$2" | grep -F -- "$3" |
        grep -qE "attest.refused .*peer=($who|127.0.0.1:[0-9]+) " &&
        rows "$1" "$((${2#*:} + 1))" 'any(.result != "ok" and
            (.actor | test("^(mpc://|127.0.0.1:)")) and
            (.detail | contains($value)))' "$3"
}
# judged OUT VICTIM FROM [WORDS]: as expected, and on record
judged() {
    local words
    words=${4:-$(json says "$1")}
    [ "$(json status "$1")" = 413 ] || wait_for 5 on_record "$2" "$3" "$words"
    printf '%-28s %-6s %s %s: %s\n' "${name:-$(json attack "$1")}" "$2" \
        "$(json status "$1")" "$(json code "$1")" "$words" |
        tee -a "$tmp/played"
}
# attack NAME VICTIM OTHER [args]
attack() {
    local from out=$tmp/$2-$1
    from=$(next "$2")
    play "$@" >"$out.json" 2>"$out.err" || {
        cat "$out.json" "$out.err"
        tail -n 5 "$MPC_DEV/$2/log"
        fail "$1 on $2"
    }
    judged "$out.json" "$2" "$from" "${words:-}"
}
# background ID VICTIM NAME [args], and foreground ID VICTIM: its end
background() {
    next "$2" >"$tmp/$1.from"
    local args
    line "$3" "$2" node1 "${@:4}"
    "${args[@]}" >"$tmp/$1.json" 2>"$tmp/$1.err" &
    echo $! >"$tmp/$1.pid"
    servers[$!]=1
}
foreground() {
    local pid
    pid=$(cat "$tmp/$1.pid")
    wait "$pid" || fail "$1: $(cat "$tmp/$1.json" "$tmp/$1.err")"
    unset "servers[$pid]"
    judged "$tmp/$1.json" "$2" "$(cat "$tmp/$1.from")"
}
fair() { # NAME VICTIM OTHER [args]: let in
    play "$@" >"$tmp/$1.json" 2>"$tmp/err" || {
        cat "$tmp/$1.json" "$tmp/err"
        fail "not let in: $1 at $2"
    }
    printf '%-28s %-6s let in\n' "$1" "$2"
}
with() { # CERTIFICATE COMMAND…: as somebody else
    local cert=$tmp/$1.crt key=$tmp/$1.key
    "${@:2}"
}

# a nonce lives for 30 s
background late node2 evidence-late

# ---- in the handshake
words='no client certificate' attack no-certificate node2 node1
words='does not prove that it has its key' \
    attack certificate-without-key node1 node2
words='not TLS 1.3' attack tls12 ca node1
name=expired-certificate words='expired' \
    with expired attack bad-certificate node2 node1
name=certificate-of-another-ca words='The certificate issuer is unknown' \
    with foreigner attack bad-certificate log node1
name=certificate-of-a-server words='status 0x' \
    with server attack bad-certificate node2 node1
name=certificate-of-two words='certificate: 2 URIs, want one' \
    with two attack bad-certificate node2 node1
name=certificate-of-nobody words='certificate: 0 URIs, want one' \
    with nameless attack bad-certificate log node1
by=mpc://dev/sidecar/node9 with stranger attack no-peer node2 node1
by=mpc://prod/sidecar/node3 name=another-deployment \
    with prod attack no-peer log node1
attack early-data node1 node2

# ---- before anything is attested
for who in node1 log ca; do
    attack unattested $who node2
done
attack pipelined node2 node1
attack big-hello node1 node2
attack big-evidence log node2
attack evidence-first node1 node2
attack bind-before-evidence ca node2
must "$mpcsign" dev kill node3 # from here on the attacker is node3
attack unlisted-program node1 node2
attack unlisted-program log node2

# ---- a version of the policy that lists it
hash=$("$mpcsign" attest measure "$attacker" -o json | jq -r .policy_hash)
"$mpcsign" policy draft | jq ".measurements.sidecar += [\"$hash\"]" \
    >"$tmp/next.json"
id=$("$mpcsign" policy propose "$tmp/next.json" --reason 'a test' 2>"$tmp/err")
must "$mpcsign" policy approve "$id" --as bob
must "$mpcsign" policy approve "$id" --as carol
version3() { # NODE
    [ "$(MPC_SIDECAR=$(conf "$1" socket) "$mpcsign" status -o json |
        jq .policy.version)" = 3 ]
}
wait_for 20 version3 node2
in_force() { grep -q 'policy.in_force .*version=3' "$MPC_DEV/$1/log"; }
wait_for 20 in_force log
wait_for 20 in_force ca
fair fair node1 node2
fair fair-bind ca node2

# ---- what takes time goes on beside the rest
background window log window-over --state "$tmp/window"

# ---- evidence that is somebody else's, or was made for somebody else; what
# was good once; signatures of an attestation key; MPC-Policy, after all is
# well. A daemon at a time for each, all daemons at once: a peer may ask for
# evidence every 2 s only.
at_node1() {
    attack relay node1 node2
    by=mpc://dev/sidecar/node2 cert=$pki/node2.crt key=$pki/node2.key \
        name=relay-with-its-certificate \
        attack relay node1 node2
    attack diversion node1 node2
    attack another-attester node1 node2
    attack another-deployment node1 node2
    attack evidence-twice node1 node2
    attack bind-with-anothers-key node1 node2
    attack policy-header-missing node1 node2
    attack policy-header-doubled-last node1 node2
}
at_node2() {
    attack reflection-renamed node2 node1
    attack replay node2 node1
    attack replay-hello node2 node1
    attack another-role node2 node1
    attack resumption node2 node1
    attack bind-replayed node2 node1
    attack bind-of-another-connection node2 node1
    attack policy-header-changed node2 node1
    fair record node2 node1 --state "$tmp/one-key"
    name=bind-under-another-key \
        with renewed attack bind-by-old-evidence node2 node1 \
        --state "$tmp/one-key"
    attack hello-flood node2 node1
}
at_ca() {
    attack reflection ca node2
    attack another-verifier ca node2
    attack another-exporter ca node2
    attack bind-without-the-key ca node2
    attack bind-as-the-other-end ca node2
    attack policy-header-doubled ca node2
    attack key-before-restart ca node2
    background changed ca policy-changed --state "$tmp/policy" \
        --ready "$tmp/ready" --until "$tmp/go"
    wait_for 30 test -s "$tmp/ready"
    kill -HUP "$(pid_of ca)"
    wait_for 10 reloaded
    : >"$tmp/go"
    foreground changed ca
    name=bind-of-an-earlier-policy \
        attack bind-by-old-evidence ca node2 --state "$tmp/policy"
}
reloaded() { grep -q 'reload .*signal' "$MPC_DEV/ca/log"; }
queues=()
for who in node1 node2 ca; do
    "at_$who" >"$tmp/queue-$who" 2>&1 &
    servers[$!]=1
    queues+=("$!:$who")
done
for q in "${queues[@]}"; do
    wait "${q%:*}" && status=0 || status=$?
    unset "servers[${q%:*}]"
    cat "$tmp/queue-${q#*:}"
    [ $status -eq 0 ] || fail "attacks on ${q#*:}"
done

# ---- node1 is restarted, led astray: to somebody between it and node2, and
# to node2 where it means node3
fair record node1 node2 --state "$tmp/before"
fair fair-bind-recorded node1 node2 --state "$tmp/before"
"$attacker" between --ca "$pki/ca.pem" --cert "$pki/node2.crt" \
    --key "$pki/node2.key" --as-cert "$pki/node1.crt" \
    --as-key "$pki/node1.key" --to "$(conf node2 listen)" \
    --to-uri "$(conf node2 uri)" --ready "$tmp/port" --until "$tmp/over" \
    >"$tmp/between.json" 2>"$tmp/err" &
between=$!
servers[$between]=1
wait_for 10 test -s "$tmp/port"
cp "$MPC_DEV/node1/daemon.cnf" "$tmp/node1.cnf"
astray="2=https://127.0.0.1:$(cat "$tmp/port"), 3=https://$(conf node2 listen)"
sed "s|^peers *=.*|peers = $astray|" "$tmp/node1.cnf" \
    >"$MPC_DEV/node1/daemon.cnf"
from=$(next node1)
must "$mpcsign" dev restart node1
# told PEER WORDS: node1 says so of its peer
told() {
    since node1 "$from" |
        grep "peer.failed .*peer=mpc://dev/sidecar/$1 " | grep -qF -- "$2"
}
wait_for 20 told node2 'evidence refused: P2 '
wait_for 20 told node3 'mpc://dev/sidecar/node2'
refuse '' psign "$tmp/f" "$tmp/astray.sig"
: >"$tmp/over"
wait "$between" || fail "between: $(cat "$tmp/between.json" "$tmp/err")"
unset "servers[$between]"
printf '%-28s %-6s %s\n' between node1 "$(cat "$tmp/between.json")" \
    led-to-another-node node1 'refused by its name' | tee -a "$tmp/played"
cp "$tmp/node1.cnf" "$MPC_DEV/node1/daemon.cnf"
must "$mpcsign" dev restart node1

# ---- with what was good before it was restarted
name=bind-before-a-restart \
    attack bind-by-old-evidence node1 node2 --state "$tmp/before"
name=evidence-before-a-restart \
    attack replay-recorded node1 node2 --state "$tmp/before"

foreground late node2
foreground window log
name=bind-after-the-window \
    attack bind-by-old-evidence log node2 --state "$tmp/window"

# ---- machines that are not node3: of another root; and clones of it, on a
# machine of the same root, while it lives
machine() { # NAME HOST_DATA [args of init]
    must "$build/bin/mpc-snpsim" init "$tmp/$1" --chip "$1" "${@:3}"
    "$build/bin/mpc-snpsim" serve "$tmp/$1" --socket "$tmp/$1.sock" \
        --host-data "$2" 2>"$tmp/$1.log" &
    servers[$!]=1
    wait_for 10 test -S "$tmp/$1.sock"
}
genesis=$(conf node3 genesis_sha256)
machine other "$genesis"
machine twin "$genesis" --roots "$MPC_DEV/sim/log"
sim=$tmp/other.sock attack another-root node1 node2
must "$mpcsign" dev start node3
by_node3() { MPC_SIDECAR=$(conf node3 socket) psign "$tmp/f" "$tmp/f3.sig"; }
wait_for 30 by_node3
must psign "$tmp/f" "$tmp/f.sig"
sim=$tmp/twin.sock attack clone node1 node2
mkdir "$tmp/clone"
sed -e "s|^state_dir *=.*|state_dir = $tmp/clone/state|" \
    -e "s|^pid_file *=.*|pid_file = $tmp/clone/ready.pid|" \
    -e "s|^socket *=.*|socket = $tmp/clone/sidecar.sock|" \
    -e "s|^device *=.*|device = sim:$tmp/twin.sock|" \
    -e 's|^listen *=.*|listen = 127.0.0.1:0|' \
    "$MPC_DEV/node3/daemon.cnf" >"$tmp/clone/daemon.cnf"
must by_node3
from=$(next log)
"$build/bin/mpc-sidecar" -c "$tmp/clone/daemon.cnf" 2>"$tmp/clone/log" &
clone=$!
servers[$clone]=1
cloned() { # and node3 lives: it is heard all the time
    by_node3 && on_record log "$from" 'cloned node' &&
        grep -q 'peer.failed .*log/log .*cloned node' "$tmp/clone/log"
}
wait_for 20 cloned
since log "$from" | grep -q 'attest.clone .*node3' ||
    fail "no alarm"
printf '%-28s %-6s %s\n' clone-sidecar log 'refused, and alarmed' |
    tee -a "$tmp/played"
stop $clone
must by_node3 # the one that lives is the node

# ---- and after all that
must psign "$tmp/f" "$tmp/f.sig"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
echo "$(wc -l <"$tmp/played") attacks, each refused and on record, $SECONDS s"
