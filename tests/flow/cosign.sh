#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Unmodified cosign, as Debian packages it, takes our bundles without a flag
# that weakens it, and refuses what is wrong. Outside ./check: it wants the
# network, and what Debian has today. Packages are unpacked, not installed, and
# kept for the next time.
#
#     tests/flow/cosign.sh [DIR [SUITE...]]
#
# DIR: default build-cosign/; SUITE: default trixie sid.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sigstore.sh"
. "$here/.ci/packages"
dir=${1:-$here/build-cosign}
suites=("${@:2}")
[ ${#suites[@]} -gt 0 ] || suites=(trixie sid)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# ---- packages, by an apt that knows nothing of this machine's
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
apt_root() { # suite
    local a=$dir/$1/apt
    mkdir -p "$a"/{etc/apt.conf.d,etc/preferences.d,lists/partial} \
        "$a/cache/archives/partial"
    : >"$a/status"
    echo "deb [signed-by=$keyring]" \
        "$(debian_mirror) $1 main" >"$a/etc/sources.list"
    cat >"$a/conf" <<EOF
Dir::Etc "$a/etc";
Dir::Etc::sourceparts "-";
Dir::State::lists "$a/lists";
Dir::State::status "$a/status";
Dir::Cache "$a/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "false"; // a mirror may be a snapshot
EOF
    export APT_CONFIG=$a/conf
}
fetch() { # suite
    [ ! -x "$dir/$1/unpacked/usr/bin/cosign" ] || return 0
    apt_root "$1"
    apt-get -qq update
    (cd "$dir/$1" && rm -f ./*.deb && apt-get -qq download cosign)
    dpkg-deb -x "$dir/$1"/cosign_*.deb "$dir/$1/unpacked"
    unset APT_CONFIG
}

# ---- what is to be judged
up "$tmp/dev"
head -c 5000 /dev/urandom >"$tmp/app"
head -c 5000 /dev/urandom >"$tmp/other"
bundle "$tmp/app" release "$tmp/b.json"
bundle "$tmp/other" release "$tmp/b2.json"
bundle "$tmp/app" once "$tmp/once.json"
trusted_root "$tmp/root.json"
id=$(identity "$tmp/b.json")
up "$tmp/dev2"
trusted_root "$tmp/root2.json"

offline=()
[ "$(id -u)" != 0 ] || offline=(unshare -n)
cosign() { # [options] ARTIFACT
    env -i PATH="$PATH" HOME="$tmp/home" "${offline[@]}" timeout 60 \
        "$dir/$suite/unpacked/usr/bin/cosign" verify-blob-attestation \
        "${format[@]}" "$@"
}
judge() { # bundle [artifact [identity [issuer [root [type]]]]]
    cosign --bundle "$1" --trusted-root "${5:-$tmp/root.json}" \
        --certificate-identity "${3:-$id}" \
        --certificate-oidc-issuer "${4:-$issuer}" \
        --type "${6:-$type}" "${2:-$tmp/app}"
}
n=0
wrong() { # why bundle...
    local why=$1
    shift
    if judge "$@" >"$tmp/out" 2>&1; then
        # a label that nothing signs: the entry itself says what it is
        [ "$why" != 'another kind' ] || return 0
        fail "$suite: accepted: $why"
    fi
    # it judged the bundle, and did not just stumble over our words
    ! grep -qiE 'unknown flag|usage:|no such file' "$tmp/out" || {
        cat "$tmp/out"
        fail "$suite: $why"
    }
    printf '     %-22s %s\n' "$why" "$(tail -1 "$tmp/out" | cut -c1-120)"
    n=$((n + 1))
}
mkdir "$tmp/home"
for suite in "${suites[@]}"; do
    fetch "$suite"
    format=()
    version=$(basename "$dir/$suite"/cosign_*.deb | cut -d_ -f2)
    # an option of version 2 that 3 has as its only way
    [[ $version != 2.* ]] || format=(--new-bundle-format)
    n=0
    must judge "$tmp/b.json"
    grep -q 'Verified OK' "$tmp/out" || fail "$suite: $(cat "$tmp/out")"
    must judge "$tmp/b2.json" "$tmp/other"
    # a key of one session has a name of its own
    must cosign --bundle "$tmp/once.json" --trusted-root "$tmp/root.json" \
        --certificate-identity-regexp \
        '^mpc://simulated\.dev/group/[0-9a-f]{8}$' \
        --certificate-oidc-issuer "$issuer" --type "$type" "$tmp/app"
    wrong 'wrong artifact' "$tmp/b.json" "$tmp/other"
    wrong 'wrong identity' "$tmp/b.json" "$tmp/app" mpc://dev/group/00000000
    wrong 'wrong issuer' "$tmp/b.json" "$tmp/app" "$id" mpc://other/ca
    # version 2 does not look at --type with a bundle
    [[ $version == 2.* ]] ||
        wrong 'wrong type' "$tmp/b.json" "$tmp/app" "$id" "$issuer" \
            "$tmp/root.json" https://other/threshold-signature/v1
    wrong 'another cluster' "$tmp/b.json" "$tmp/app" "$id" "$issuer" \
        "$tmp/root2.json"
    each_wrong wrong
    echo "cosign $version ($suite): 3 accepted, $n refused"
done
