#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A node's disk without its peers, on another chip, under another program,
# as another node, in another cluster: nothing unseals, and each says why.
# Where only chip or program differ it starts empty, with new keys.
. "$(dirname "$0")/lib.sh"
up "$tmp/other"
other=$MPC_DEV
up "$tmp/dev"
pubkey "$tmp/pub.pem"
echo hello >"$tmp/f"
must psign "$tmp/f" "$tmp/f.sig"
must "$mpcsign" dev kill node1
cp -a "$MPC_DEV/node1/state" "$tmp/disk"

# elsewhere WHO [CNF]: WHO's configuration with a copy of node1's disk
elsewhere() {
    local dir=$tmp/$1 from=${2:-$MPC_DEV/$1/daemon.cnf}
    rm -rf "$dir"
    mkdir -p "$dir"
    cp -a "$tmp/disk" "$dir/state"
    sed -e "s#^state_dir = .*#state_dir = $dir/state#" \
        -e "s#^pid_file = .*#pid_file = $dir/pid#" \
        -e "s#^socket = .*#socket = $dir/s#" \
        -e 's#^listen = .*#listen = 127.0.0.1:0#' \
        -e '/^page_/d' "$from" >"$dir/cnf"
}
# no PATTERN BINARY: it ends at once, in one line of error
no() {
    refuse "$1" timeout 20 "$2" -c "$dir/cnf"
    same "$(grep -c '^<3>' "$tmp/out")" 1 \
        "lines of error"
}
# empty PATTERN BINARY: it runs with new keys, no share, and says PATTERN
empty() {
    "$2" -c "$dir/cnf" >"$tmp/log" 2>&1 &
    local pid=$!
    servers[$pid]=1
    says() { curl -sf --unix-socket "$dir/s" http://x/v1/status |
        jq -r '.problems[]' | grep -qE "$1"; }
    wait_for 10 says "$1"
    curl -sf --unix-socket "$dir/s" http://x/v1/status >"$tmp/status"
    same "$(jq '[.keys[] | select(.share)] | length' "$tmp/status")" 0 shares
    [ "$(jq -r .identity "$tmp/status")" != "$identity" ] ||
        fail "the same identity"
    grep -q 'node.keys_new' "$tmp/log" || fail "not in its log"
    stop "$pid"
}
identity=$(jq -r '.nodes[] | select(.id == 1).identity' "$MPC_DEV/policy.json")
bin=$build/bin/mpc-sidecar

# another chip: node2's, with node1's disk, name and certificates
elsewhere node1
dir=$tmp/node1
sed -i "s#^device = .*#device = $(conf node2 device)#" "$dir/cnf"
empty 'upgrade 1 .sealed keys: sealed under another chip, firmware level or' \
    "$bin"
# back on its own chip, the old keys are there
sed -i "s#^device = .*#device = $(conf node1 device)#" "$dir/cnf"
"$bin" -c "$dir/cnf" >"$tmp/log" 2>&1 &
back=$!
servers[$back]=1
is_back() { [ "$(curl -sf --unix-socket "$dir/s" http://x/v1/status |
    jq -r .identity)" = "$identity" ]; }
wait_for 10 is_back
stop "$back"

# another measurement: the same program, a byte longer
elsewhere node1
cp "$bin" "$tmp/rebuilt"
printf x >>"$tmp/rebuilt"
empty 'upgrade 1 .sealed keys: sealed under another chip, firmware level or' \
    "$tmp/rebuilt"

# a copied directory, under another node's configuration
elsewhere node2
dir=$tmp/node2
no 'sealed keys: of another node .1. or cluster' "$bin"

# node1 of another cluster
elsewhere node1 "$other/node1/daemon.cnf"
dir=$tmp/node1
no 'sealed keys: of another node .1. or cluster' "$bin"

# sealed keys that are gone, with the shares left: new keys are no old ones
elsewhere node1
python3 - "$dir/state/state.db" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("DELETE FROM kv WHERE name='node_keys'")
db.commit()
END
empty 'the policy names others: mpcsign node upgrade 1$' "$bin"

# its own machine and everything else right, but no peers: it waits for ever
must "$mpcsign" dev kill node2
must "$mpcsign" dev kill node3
must "$mpcsign" dev start node1
told() { curl -sf --unix-socket "$(conf node1 socket)" http://x/v1/status |
    jq -r '.problems[]' | grep -q "$1"; }
wait_for 5 told 'share waits for peers (has 0 of 1)'
sleep 2
told 'share waits for peers (has 0 of 1)' || fail "its share opened alone"
refuse 'needs 2 of 3.*node2.*node3' psign "$tmp/f" "$tmp/x.sig"
must "$mpcsign" dev start node2
must "$mpcsign" dev start node3
wait_for 15 psign "$tmp/f" "$tmp/f.sig"
must verify "$tmp/pub.pem" "$tmp/f" "$tmp/f.sig"
