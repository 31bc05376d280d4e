#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# No process but the vaults ever holds a share: every writable byte of the
# sidecars, their databases and logs is tried as the discrete logarithm of
# each verifying share. The same search does find it in a vault.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
echo hello >"$tmp/f"
for _ in 1 2 3; do must psign "$tmp/f" "$tmp/f.sig"; done
must "$mpcsign" sign "$tmp/f" -s "$tmp/f.sig" --bundle "$tmp/f.json"

# verifying shares of release and ca, identity keys of the nodes
points=$({
    jq -r '.birth.cert.votes[].y, .issuer[].cert.votes[].y' "$tmp/f.json"
} | sort -u | paste -sd,)
[ -n "$points" ] || fail "no verifying shares in the bundle"
identities=$(jq -r '.birth.cert.votes[].identity' "$tmp/f.json" | sort -u |
    paste -sd,)

vaults=()
for node in node1 node2 node3; do
    st=$(curl -sf --unix-socket "$(conf $node socket)" http://x/v1/status)
    vaults+=("$(jq -r .vault_pid <<<"$st")")
    must "$build/tests/scan_secrets" --points "$points" \
        --identities "$identities" --pid "$(pid_of $node)"
    must "$build/tests/scan_secrets" --points "$points" \
        --identities "$identities" --files \
        $(find "$MPC_DEV/$node" -type f)
done
for who in log ca; do
    must "$build/tests/scan_secrets" --points "$points" \
        --identities "$identities" --pid "$(pid_of $who)"
done

# The search can find what is there. A vault's memory is open to root only.
must "$build/tests/scan_secrets" --self-test
if [ "$(id -u)" = 0 ] && head -c1 "/proc/${vaults[0]}/maps" >/dev/null 2>&1
then
    refuse FOUND "$build/tests/scan_secrets" --points "$points" \
        --identities "$identities" --pid "${vaults[0]}"
else
    head -c1 "/proc/${vaults[0]}/mem" 2>/dev/null &&
        fail "a vault's memory is open to its own user"
    echo "not root: a vault's memory cannot be read, as it should be"
fi
