#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The disk of one node is full, read-only or fails, or it is out of
# descriptors. It says so in clear words, the others sign on, nothing that was
# acknowledged is lost, and when the trouble is over it serves again.
# Memory: tests/sidecar/test_nomem.c.
if [ -z "${MPC_OWN_MOUNTS:-}" ]; then # a small disk, for this process only
    export MPC_OWN_MOUNTS=1
    [ "$(id -u)" = 0 ] && exec unshare -m bash "$0" "$@"
    exec unshare -Urm bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
state=$tmp/dev/node3/state
pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
one=$MPC_SIDECAR
three=$(conf node3 socket)
via() { # socket
    MPC_SIDECAR=$1 psign "$tmp/f" "$tmp/f.sig"
}
epoch() { # socket
    MPC_SIDECAR=$1 "$mpcsign" key show release -o json | jq .epoch
}
# The others do not need it; and then it is well again.
others_sign() {
    wait_for 20 via "$one"
    must verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig"
}
well_again() {
    wait_for 40 via "$three"
    must verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig"
    same "$(epoch "$three")" "$(epoch "$one")" "$1: epoch of node3"
    must sqlite3 "$state/state.db" 'PRAGMA integrity_check'
    grep -qx ok "$tmp/out" || fail "$1: state.db is damaged"
}
# said PATTERN: by the caller or in the node's own log since the mark
mark() { lines=$(wc -l <"$tmp/dev/node3/log"); }
said() {
    { cat "$tmp/err"; tail -n "+$((lines + 1))" "$tmp/dev/node3/log"; } |
        grep -iE "$1" >/dev/null && return
    cat "$tmp/err"
    tail -n "+$((lines + 1))" "$tmp/dev/node3/log" | tail -20
    fail "nothing said of: $1"
}

must "$mpcsign" dev kill node3
cp -a "$state" "$tmp/kept"
mount -t tmpfs -o size=1536k,mode=700 none "$state"
trap 'umount -l "$state" 2>/dev/null; cleanup' EXIT
cp -a "$tmp/kept/." "$state/"
must "$mpcsign" dev start node3
wait_for 30 via "$three"

# full
mark
dd if=/dev/zero of="$state/filler" bs=4k status=none 2>/dev/null || true
df --output=avail "$state" | tail -1
for _ in 1 2 3 4 5 6; do
    via "$three" 2>"$tmp/err" || break
done
! via "$three" 2>"$tmp/err" || fail "node3 leads with a full disk"
said 'full|No space'
others_sign
must kill -0 "$(pid_of node3)"
rm "$state/filler"
well_again full
echo "disk full: $(grep -m1 -oiE '[^:]*(full|no space)[^:]*' "$tmp/err" || true)"

# full when it starts
must "$mpcsign" dev kill node3
dd if=/dev/zero of="$state/filler" bs=4k status=none 2>/dev/null || true
mark
"$mpcsign" dev start node3 >"$tmp/err" 2>&1 || said 'full|space|disk'
others_sign
rm "$state/filler"
"$mpcsign" dev kill node3 >/dev/null 2>&1 || true
must "$mpcsign" dev start node3
well_again "full at its start"
echo "disk full at its start: ok"

# read-only
must "$mpcsign" dev kill node3
mount -o remount,ro "$state"
mark
! "$mpcsign" dev start node3 >"$tmp/err" 2>&1 || fail "it starts read-only"
said 'read-?only'
others_sign
mount -o remount,rw "$state"
must "$mpcsign" dev start node3
well_again read-only
echo "read-only disk: $(grep -m1 -oiE 'read-?only.*' "$tmp/err" || true)"

# no descriptor is left: it starts with few, and callers hold the rest
must "$mpcsign" dev kill node3
(
    ulimit -n 48
    must "$mpcsign" dev start node3
)
pid=$(pid_of node3)
env -u OPENSSL_CONF python3 - "$three" <<'END' &
import socket, sys, time
held = []
for _ in range(60):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(1)
    try:
        s.connect(sys.argv[1])
        held.append(s)
    except OSError:
        pass
time.sleep(60)
END
holder=$!
servers[$holder]=1
none_left() { [ "$(find "/proc/$pid/fd" -type l | wc -l)" -ge 47 ]; }
wait_for 10 none_left
mark
! MPC_SIDECAR=$three timeout 5 "$mpcsign" status >"$tmp/err" 2>&1 ||
    fail "it has descriptors yet"
others_sign
must kill -0 "$pid"
stop $holder
well_again descriptors
same "$(pid_of node3)" "$pid" "no descriptors: its process"
echo "no descriptors: $(head -1 "$tmp/err" | cut -c1-100)"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
