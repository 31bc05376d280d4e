#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A node whose kernel lost its key to the firmware says so in its log and its
# status, asks the device no more, and the others go on without it; what a
# device that only failed says passes by itself.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
echo hello >"$tmp/f"
must psign "$tmp/f" "$tmp/f.sig"

node2=$(conf node2 socket)
device() { MPC_SIDECAR=$node2 "$mpcsign" status -o json | jq -r .device.state; }
fault() { must "$build/bin/mpc-snpsim" fault --socket "$sim" "$@"; }
sim=$(conf node2 device)
sim=${sim#sim:}
log=$MPC_DEV/node2/log
same "$(device)" ready "device at the start"
grep -q 'device .*kind=simulated state=ready' "$log" || fail "log: no device"

# every start of another node asks node2 for evidence on its new connections
ask() {
    must "$mpcsign" dev restart node3
    psign "$tmp/f" "$tmp/f.sig" >/dev/null 2>&1 || true
}
is() { ask && [ "$(device)" = "$1" ]; }
fault throttle
wait_for 20 is throttled
fault none
wait_for 20 is ready

fault lost
wait_for 20 is lost
grep -q 'device .*kind=simulated state=lost' "$log" || fail "log: nothing of it"
MPC_SIDECAR=$node2 "$mpcsign" status >"$tmp/status"
grep -q 'PROBLEM.*relaunch the VM' "$tmp/status" ||
    fail "status: no problem: $(cat "$tmp/status")"
# the device is well again, and nobody finds out until the relaunch
fault none
ask
same "$(device)" lost "device after it was lost"
grep -c 'state=lost' "$log" | grep -qx 1 || fail "log: said more than once"
# the others have a quorum
wait_for 20 psign "$tmp/f" "$tmp/g.sig"

# the relaunch
must "$mpcsign" dev restart node2
same "$(device)" ready "device after the relaunch"
