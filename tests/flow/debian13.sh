#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The scenarios of Debian 13 (OpenSSL 3.5): builds this tree in a root of its
# own and runs them there. Outside ./check: it wants root, the network and some
# minutes. The root is kept for the next time.
#
#     tests/flow/debian13.sh [ROOT [SCENARIO...]]
#
# ROOT: default build-debian13/; a SCENARIO is the start of a file's name.
# MPC_SUITE=bookworm and a ROOT of its own: the same on a bare Debian 12.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
root=${1:-$here/build-debian13}
scenarios=("${@:2}")
[ ${#scenarios[@]} -gt 0 ] ||
    scenarios=(01 2 3)
. "$here/.ci/packages"
packages=("${build_packages[@]}" ca-certificates python3 python3-openssl
    nginx-light apache2-bin haproxy stunnel4 ruby nodejs rauc squashfs-tools
    gnutls-bin valgrind)

[ "$(id -u)" = 0 ] || {
    echo "debian13.sh: must be root (debootstrap, chroot)" >&2
    exit 1
}
# mounts of our own, which end with us
if [ -z "${MPC_UNSHARED:-}" ]; then
    MPC_UNSHARED=1 exec unshare -m --propagation private \
        "${BASH_SOURCE[0]}" "$@"
fi
unset MPC_UNSHARED

if [ ! -e "$root/etc/debian_version" ]; then
    debootstrap --variant=minbase "${MPC_SUITE:-trixie}" "$root" \
        "$(debian_mirror)" >/dev/null
fi
inside() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/tmp \
        DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t devpts devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/tmp"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# no package starts its server
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
inside sh -c '[ "$(dpkg-query -W -f="\${Status}\n" "$@" 2>/dev/null |
        grep -c "ok installed")" = $# ] || {
    apt-get update -qq &&
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }' \
    sh "${packages[@]}"

# what git knows of, as it is in the working tree
mkdir -p "$root/src/mpcsign"
(cd "$here" && git ls-files -z --cached | while IFS= read -r -d '' f; do
    [ ! -e "$f" ] || printf '%s\0' "$f"
done | tar --null -T - -cf -) | tar -C "$root/src/mpcsign" -xf -
inside sh -c 'cd /src/mpcsign && { cmake --preset dev &&
    cmake --build --preset dev -j "$(nproc)" --target mpcsign mpc-sidecar \
        mpc-ca mpc-log mpc-snpsim mpc_module; } >build.log 2>&1 || {
    grep -E "error|FAILED" build.log || tail -20 build.log
    exit 1; }'

inside cat /etc/debian_version
inside openssl version
bad=0
for s in "${scenarios[@]}"; do
    for f in "$root"/src/mpcsign/tests/flow/"$s"[0-9-]*.sh; do
        name=$(basename "$f")
        start=$SECONDS
        if inside bash "/src/mpcsign/tests/flow/$name"; then
            echo "ok   $name ($((SECONDS - start)) s)"
        else
            echo "FAIL $name"
            bad=1
        fi
    done
done
exit $bad
