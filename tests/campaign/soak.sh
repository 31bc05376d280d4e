#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# MPC_SOAK_N signatures (10000) by eight callers, all daemons watched: after a
# warm-up of a tenth, memory grows by no more than MPC_SOAK_KB (2048) in any
# process, and no descriptor stays but for one idle connection. The log keeps
# its index of what entries mention in memory: 512 bytes an entry more.
. "$(dirname "$0")/../flow/lib.sh"
n=${MPC_SOAK_N:-10000}
grows=${MPC_SOAK_KB:-2048}
up "$tmp/dev"

# name pid: of every process of the cluster, vaults and helpers too
processes() {
    local who pid child
    for who in node1 node2 node3 ca log; do
        pid=$(pid_of $who)
        echo "$who $pid"
        for child in $(cat "/proc/$pid/task/"*/children 2>/dev/null); do
            echo "$who.$(cat "/proc/$child/comm") $child"
        done
    done
}
# name pid rss-in-KiB descriptors
measure() {
    while read -r name pid; do
        echo "$name $pid $(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' \
            "/proc/$pid/status") $(find "/proc/$pid/fd" -type l | wc -l)"
    done <"$tmp/processes"
}
load() { "$build/tests/bench_sign" -S -t 8 -n "$1"; }

processes >"$tmp/processes"
[ "$(wc -l <"$tmp/processes")" -ge 8 ] || fail "not all processes found"
must load $((n / 10))
sleep 6 # connections that rest are closed
measure >"$tmp/warm"
log_warm=$(log_size)
start=$SECONDS
load $((n * 9 / 10)) >"$tmp/load" || {
    cat "$tmp/load"
    fail "a signature failed"
}
took=$((SECONDS - start))
sleep 6
measure >"$tmp/after"
log_after=$(log_size)
bad=0
while read -r name _ rss fds _ _ rss2 fds2; do
    printf '%-24s %7d KiB %+6d   %3d descriptors %+d\n' "$name" "$rss2" \
        $((rss2 - rss)) "$fds2" $((fds2 - fds))
    may=$grows
    [ "$name" != log ] || may=$((grows + (log_after - log_warm) / 2))
    [ $((rss2 - rss)) -le "$may" ] && [ "$fds2" -le $((fds + 1)) ] || bad=1
done < <(paste -d' ' "$tmp/warm" "$tmp/after")
intents=$(count_intents)
echo "$n signatures, the last $((n * 9 / 10)) in $took s; $intents intents"
[ "$intents" -ge "$n" ] || fail "$intents intents for $n signatures"
must "$mpcsign" log fsck "$MPC_LOG_URL" --vkey "$MPC_LOG_VKEY"
[ $bad = 0 ] || fail "not flat"
