#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The demo says every proof and leaves nothing; interrupted at any time, it
# leaves no process.
. "$(dirname "$0")/lib.sh"
export MPC_BUILD=$build TMPDIR=$tmp

must "$here/demo"
same "$(grep -c '✔' "$tmp/out")" 7 "proofs said"
left() { pgrep -f "$tmp/mpc-demo" || true; }
same "$(left)" "" "processes after the demo"

for after in 0.3 1 3 5; do
    # a process group of its own, as a terminal's Ctrl-C would meet it
    setsid bash -c 'trap - INT; exec "$0"' "$here/demo" >"$tmp/out" 2>&1 &
    pid=$!
    sleep "$after"
    kill -INT -- "-$pid" 2>/dev/null || true
    wait "$pid" || true
    for _ in $(seq 100); do
        [ -z "$(left)" ] && break
        sleep 0.1
    done
    same "$(left)" "" "processes after Ctrl-C at $after s"
    [ -z "$(ls -d "$tmp"/mpc-demo-* 2>/dev/null)" ] ||
        fail "files after Ctrl-C at $after s"
done
