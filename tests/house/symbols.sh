#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every library's symbols wear its room's prefix; mpc.so exports one symbol.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
bad=0
declare -A prefix=(
    [base]='rc_|bytes_|enc_|clock_|rand_|secret_|ct_public|hash256|hash512|log_|file_|sock_|conf_|failpoint_'
    [frost]='frost_' [wire]='wire_' [http]='http_' [transparency]='tlog_'
    [policy]='policy_' [attest]='attest_' [daemon]='daemon_' [vault]='vault_'
    [custody]='custody_' [ca]='ca_' [provider]='prov_'
    # the sidecar's decide files, one story a prefix; all behind one door
    [sidecar]='node_|store_|session_|lead_|job_|round_|peer_|follow_|epoch_|drive_|govern_|head_|gossip_|abort_|audit_|authorise_|callers_|glass_|spread_|life_|ask_|enrol_|approvers_|proof_|path_|birth_|cert_|max_attempts|keys_|once_|bundle_|standing_|change_|pieces_|master_|custody_|recover_'
)
n=0
for room in "${!prefix[@]}"; do
    lib=$build/$room/libmpc_$room.a
    [ -f "$lib" ] || { echo "no $lib"; bad=1; continue; }
    while read -r name; do
        [[ $name =~ ^(${prefix[$room]}) ]] && continue
        [[ $name =~ ^(__asan|__odr|__ubsan|__tsan|__start|__stop) ]] && continue
        echo "$room: $name does not wear ${prefix[$room]}"
        bad=1
    done < <(nm -g --defined-only "$lib" 2>/dev/null |
        awk 'NF==3 && $2 ~ /[TDBRVW]/ {print $3}' | sort -u)
    n=$((n + 1))
done
exports=$(nm -D --defined-only "$build/lib/ossl-modules/mpc.so" |
    awk '{print $3}' | sort)
[ "$exports" = OSSL_provider_init ] || {
    echo "mpc.so exports: $exports"
    bad=1
}
# whoever signs needs no TPM
readelf -d "$build/lib/ossl-modules/mpc.so" | grep tss2 && {
    echo "mpc.so links libtss2"
    bad=1
}
nm -u "$build/vault/libmpc_vault.a" 2>/dev/null | grep -E ' (Esys|Tss2)_' && {
    echo "the vault calls libtss2"
    bad=1
}
readelf -d "$build/bin/mpc-sidecar" | grep -q tss2-esys || {
    echo "mpc-sidecar has no libtss2: this test proves nothing"
    bad=1
}
[ $n -ge 10 ] || bad=1
exit $bad
