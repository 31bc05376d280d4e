#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# frost/ keeps nothing and asks nobody: no writable data, and no call that is
# not arithmetic, hashing, memory or the raising of an error. So it has no
# clock, I/O, allocation, randomness or state, whatever its sources say.
set -euo pipefail
cd "$(dirname "$0")/../.."
lib=${1:-build}/frost/libmpc_frost.a
bad=0
[ -f "$lib" ] || { echo "no $lib"; exit 1; }
symbols=$(nm "$lib")
[ "$(grep -cE ' T frost_' <<<"$symbols")" -gt 30 ] || {
    echo "$lib: hardly a function in it"
    bad=1
}
while read -r _ kind name; do
    # sanitizers keep data of their own
    [[ $name =~ ^(__asan|__odr|__ubsan|__tsan|\.L) ]] && continue
    echo "frost: writable data: $name ($kind)"
    bad=1
done < <(awk 'NF==3 && $2 ~ /^[bBdDCsSgGu]$/' <<<"$symbols")
while read -r name; do
    case $name in
    frost_* | hash256_parts | hash512_parts | rc_raise_at | ct_public) ;;
    mem[a-z]* | __assert_fail | __stack_chk_fail | _GLOBAL_OFFSET_TABLE_) ;;
    crypto_core_ed25519_* | crypto_scalarmult_ed25519_*) ;;
    crypto_hash_sha256_* | crypto_sign_verify_detached) ;;
    sodium_init | sodium_is_zero | sodium_memcmp | sodium_memzero) ;;
    sodium_stackzero | sodium_version_string) ;;
    __asan* | __ubsan* | __tsan* | __sanitizer*) ;;
    *)
        echo "frost: calls $name"
        bad=1
        ;;
    esac
done < <(awk '$1 == "U" {print $2}' <<<"$symbols" | sort -u)
# what is wiped below a call is all there is only with immediate binding
readelf -d "${1:-build}/bin/mpc-sidecar" | grep -q 'BIND_NOW\|FLAGS_1.*NOW' || {
    echo "mpc-sidecar: not linked with -z now"
    bad=1
}
exit $bad
