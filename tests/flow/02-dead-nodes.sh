#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Any t of n sign: one dead node costs a retry, two are named in one clear
# error within the deadline, and work resumes when they are back.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
good() {
    psign "$tmp/f" "$tmp/f.sig" && verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig"
}
must good
must "$mpcsign" dev kill node2
must good
must "$mpcsign" dev kill node3
start=$SECONDS
refuse 'needs 2 of 3.*node2.*node3' psign "$tmp/f" "$tmp/x.sig"
[ $((SECONDS - start)) -le 12 ] || fail "the error came after the deadline"
same "$(grep -c '^[0-9A-F]*:error:' "$tmp/out")" 1 "error lines"
must "$mpcsign" dev start node3
wait_for 15 good
must "$mpcsign" dev start node2
wait_for 15 good

# a sidecar whose vault is gone ends by itself, and says why
pid=$(pid_of node3)
kill -9 "$(curl -sf --unix-socket "$(conf node3 socket)" http://x/v1/status |
    jq -r .vault_pid)"
gone() { [ ! -e "/proc/$pid" ] || grep -q 'State:.*Z' "/proc/$pid/status"; }
wait_for 10 gone
grep -q 'the vault process ended' "$MPC_DEV/node3/log" ||
    fail "node3 did not say why it ended"
must good
must "$mpcsign" dev start node3
