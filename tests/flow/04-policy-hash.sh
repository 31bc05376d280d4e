#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A wrong TEE_POLICY_HASH on one node makes every RPC with it fail, both ways,
# with seen and allowed hashes in the error.
. "$(dirname "$0")/lib.sh"
up "$tmp/dev"
echo hello >"$tmp/f"
must psign "$tmp/f" "$tmp/f.sig"
good=$TEE_POLICY_HASH
wrong=$(printf 'no such measurement' | sha256sum | cut -d' ' -f1)

must "$mpcsign" dev kill node3
must "$mpcsign" dev kill node2
must env TEE_POLICY_HASH="$wrong" "$mpcsign" dev start node2

# node1 -> node2: refused by node2, and the error says both hashes
refuse "node2.*(policy_mismatch|$wrong)" psign "$tmp/f" "$tmp/x.sig"
grep -q "$wrong" "$tmp/out" || { cat "$tmp/out"; fail "allowed hash unsaid"; }
grep -q "${good%%,*}" "$tmp/out" || { cat "$tmp/out"; fail "seen hash unsaid"; }

# node2 -> everyone: it can lead nothing either
sock=$(conf node2 socket)
[ -S "$sock" ] || fail "no socket of node2 in its configuration"
MPC_SIDECAR=$sock TEE_POLICY_HASH= refuse . env -u TEE_POLICY_HASH \
    openssl pkeyutl -sign -provider mpc -provider default \
    -inkey mpc:release -rawin -in "$tmp/f" -out "$tmp/x.sig"

# a caller that expects another sidecar is refused by a good one
TEE_POLICY_HASH=$wrong refuse "policy_mismatch|$wrong" psign "$tmp/f" "$tmp/x"

must "$mpcsign" dev kill node2
must env -u TEE_POLICY_HASH "$mpcsign" dev start node2
wait_for 15 psign "$tmp/f" "$tmp/f.sig"
