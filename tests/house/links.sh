#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The provider lives in other people's processes and the vault holds the
# shares: neither takes in what approvals, TLS or the network need.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
bad=0
n=0
while read -r lib; do
    n=$((n + 1))
    case $lib in
    libsodium.so.* | libjansson.so.* | libcrypto.so.* | libc.so.* | ld-linux*)
        ;;
    *)
        echo "mpc.so links $lib"
        bad=1
        ;;
    esac
done < <(readelf -d "$build/lib/ossl-modules/mpc.so" |
    sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for room in base frost wire custody vault provider; do
    lib=$build/$room/libmpc_$room.a
    [ -f "$lib" ] || { echo "no $lib"; bad=1; continue; }
    if nm -u "$lib" 2>/dev/null |
        grep -E ' (fido_|cbor_|curl_|MHD_|SSL_)'; then
        echo "$room calls what is not its own"
        bad=1
    fi
done
[ $n -ge 3 ] || bad=1
exit $bad
