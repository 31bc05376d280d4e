#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Each process of a cluster is killed at each step of an ephemeral session:
# what comes out is a good signature with all its evidence, or no file and a
# clear error. No certificate is for a key without a birth in the log, the log
# stays whole, and the next session works.
#   72-kill-ephemeral.sh           a selection, as ./check runs it
#   72-kill-ephemeral.sh all       every victim at every step
#   72-kill-ephemeral.sh VICTIM HOLDER STEP    one: HOLDER is held at STEP of
#                                  base/failpoint.h while VICTIM is killed
. "$(dirname "$0")/lib.sh"
mkdir "$tmp/fail" "$tmp/work"
export MPC_FAILPOINT=$tmp/fail
up "$tmp/dev"
cd "$tmp/work"
head -c 20000 /dev/urandom >app
good=0
none=0

# ---- holding and killing -----------------------------------------------------

# arm WHO LIST: what happens to it at its next places; "" disarms
arm() {
    printf '%s\0' "$2" | dd of="$tmp/fail/$(pid_of "$1")" conv=notrunc \
        status=none
}
state_of() { # PID
    sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null
}
held_or_over() { # HOLDER'S PID: or whoever waits for it has given up
    [ "$(state_of "$1")" = T ] || ! kill -0 "$signer" 2>/dev/null
}
gone() { # PID
    [ -z "$(state_of "$1")" ] || [ "$(state_of "$1")" = Z ]
}
gone_or_over() { gone "$1" || ! kill -0 "$signer" 2>/dev/null; }

# kill_at VICTIM HOLDER STEP: while the signer runs; false: it never came by
kill_at() {
    local victim holder
    victim=$(pid_of "$1")
    holder=$(pid_of "$2")
    if [ "$1" = "$2" ]; then
        wait_for 60 gone_or_over "$victim"
        gone "$victim"
        return
    fi
    wait_for 60 held_or_over "$holder"
    [ "$(state_of "$holder")" = T ] || return 1
    kill -9 "$victim"
    wait_for 10 gone "$victim"
    arm "$2" ""
    kill -CONT "$holder"
}

# ---- what must hold ------------------------------------------------------------

is_good() {
    stock x509 -in out.pem -pubkey -noout >"$tmp/out.pub"
    must verify "$tmp/out.pub" app out.sig
    must "$mpcsign" cms verify app --cms out.p7s --allow-simulated
    must "$mpcsign" verify app --bundle out.json \
        --policy "$MPC_DEV/policy.json" --allow-simulated
}
is_none() {
    same "$(ls -A | paste -sd' ')" app "$case: files after a failure"
    grep -qE '^mpcsign: .{10}' "$tmp/err" || {
        cat "$tmp/err"
        fail "$case: no clear error"
    }
}
# Every certificate that the CA made names a birth of the log.
certificates_have_births() {
    local births issued index
    births=$("$mpcsign" log search --type birth -o json)
    issued=$(sed -n 's/.*ca\.issued.* birth=\([0-9]*\).*/\1/p' \
        "$MPC_DEV/ca/log" | sort -u)
    [ -n "$issued" ] || fail "no certificate in the CA's log"
    for index in $issued; do
        jq -e --argjson i "$index" '[.. | .index? // empty] | index($i)' \
            <<<"$births" >/dev/null ||
            fail "a certificate for index $index, which is no birth"
    done
}

sign_once() { # [more]
    "$mpcsign" sign app --profile once -s out.sig --cms out.p7s \
        --cert out.pem --bundle out.json "$@"
}
sign_again() { "$mpcsign" sign app --profile once -s "$tmp/again.sig"; }

# The other signer may be asked instead of the holder: then once more.
sign_and_kill() { # VICTIM HOLDER STEP
    local tries what=stop
    [ "$1" != "$2" ] || what=kill
    for tries in 1 2 3 4 5 6 7 8; do
        arm "$2" "$3:$what"
        sign_once >"$tmp/said" 2>"$tmp/err" &
        signer=$!
        servers[$signer]=1
        ! kill_at "$@" || return 0
        code=0
        wait "$signer" || code=$?
        unset "servers[$signer]"
        [ $code = 0 ] || break
        rm -f out.*
    done
    cat "$tmp/err"
    fail "$case: never came by"
}
one_case() { # VICTIM HOLDER STEP
    local code=0 start=$SECONDS
    case="$1 at $2's $3"
    sign_and_kill "$@"
    wait "$signer" || code=$?
    unset "servers[$signer]"
    if [ $code = 0 ]; then
        is_good
        good=$((good + 1))
    else
        is_none
        none=$((none + 1))
    fi
    echo "ok   $case: $([ $code = 0 ] && echo signed ||
        tail -1 "$tmp/err" | cut -c1-160) ($((SECONDS - start)) s)"
    rm -f out.*
    must "$mpcsign" dev start "$1"
    wait_for 30 sign_again
}

# ---- which ---------------------------------------------------------------------

lead="once_chosen once_due once_born once_opened lead_gathered lead_logged
    lead_signed once_closed"
member="once_begun once_dealt once_shared once_endorsed once_active
    follow_judged follow_marked follow_shared"

all_cases() {
    local step who
    for step in $lead; do
        for who in node1 node2 ca log; do
            echo "$who node1 $step"
        done
    done
    for step in $member; do
        echo "node2 node2 $step"
    done
    printf '%s\n' "ca ca ca_judged" "ca ca ca_signed" "node2 ca ca_judged" \
        "log ca ca_judged" "log log log_written" "log log log_synced"
}
some_cases() {
    printf '%s\n' "node2 node1 once_chosen" "node2 node2 once_endorsed" \
        "log node1 once_due" "node1 node1 once_born" "ca node1 once_born" \
        "ca ca ca_signed" "node2 node2 follow_marked" \
        "log node1 lead_gathered" "node1 node1 lead_signed"
}

case $# in
0) cases=$(some_cases) ;;
1) cases=$(all_cases) ;;
*) cases="$*" ;;
esac
while read -r victim holder step <&3; do
    one_case "$victim" "$holder" "$step"
done 3<<<"$cases"
certificates_have_births
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
[ $# -gt 1 ] || [ $good -gt 0 ] && [ $none -gt 0 ] || [ $# -gt 1 ] ||
    fail "$good good, $none none: want some of both"

# a node that is dead before it begins stops nothing, whichever it is
for who in node3 node2 node1; do
    case="$who dead from the start"
    must "$mpcsign" dev kill "$who"
    [ "$who" != node1 ] || MPC_SIDECAR=$(conf node2 socket)
    must sign_once
    is_good
    rm -f out.*
    echo "ok   $case: signed"
    must "$mpcsign" dev start "$who"
    wait_for 30 sign_again
done
echo "$good signed, $none without a signature"
