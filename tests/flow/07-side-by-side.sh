#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two clusters in different directories run side by side; down leaves nothing.
. "$(dirname "$0")/lib.sh"
echo hello >"$tmp/f"
up "$tmp/a"
a_sidecar=$MPC_SIDECAR
pubkey "$tmp/a.pem"
up "$tmp/b"
[ "$a_sidecar" != "$MPC_SIDECAR" ] || fail "one socket for two clusters"
pubkey "$tmp/b.pem"
cmp -s "$tmp/a.pem" "$tmp/b.pem" && fail "two clusters share a key"
must psign "$tmp/f" "$tmp/b.sig"
must verify "$tmp/b.pem" "$tmp/f" "$tmp/b.sig"
eval "$("$mpcsign" dev env --dir "$tmp/a")"
must psign "$tmp/f" "$tmp/a.sig"
must verify "$tmp/a.pem" "$tmp/f" "$tmp/a.sig"
refuse '' verify "$tmp/a.pem" "$tmp/f" "$tmp/b.sig"

# a second up on a running cluster prints the same environment
same "$("$mpcsign" dev up --dir "$tmp/a" 2>/dev/null)" \
    "$("$mpcsign" dev env --dir "$tmp/a")" "second up"

pids=$(cat "$tmp"/a/*/*.pid)
must "$mpcsign" dev down --dir "$tmp/a"
for p in $pids; do
    [ ! -e "/proc/$p" ] || grep -q 'State:.*Z' "/proc/$p/status" ||
        fail "process $p is left"
done
eval "$("$mpcsign" dev env --dir "$tmp/b")"
must psign "$tmp/f" "$tmp/b.sig"

# and up again, on what is there
eval "$("$mpcsign" dev up --dir "$tmp/a" 2>/dev/null)"
must psign "$tmp/f" "$tmp/a.sig"
must verify "$tmp/a.pem" "$tmp/f" "$tmp/a.sig"
