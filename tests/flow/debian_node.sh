# SPDX-License-Identifier: Apache-2.0
# node_ ARGUMENTS: Debian's own nodejs, which uses the system's OpenSSL. Where
# another one is installed in its place, Debian's packages are fetched and
# unpacked below the build, and run with their /usr/share laid over ours.
# Sourced.

shared_openssl() {
    [ "$("$@" -p process.config.variables.node_shared_openssl 2>&1)" = true ]
}
debian_node=$build/debian-node
unpack_node() {
    local to=$debian_node.$$ version d
    [ ! -d "$debian_node" ] || return 0
    mkdir -p "$to/debs"
    version=$(apt-cache policy libnode108 | sed -n 's/^ *Candidate: //p')
    (cd "$to/debs" && apt-get download -qq "nodejs=$version" \
        "libnode108=$version" node-acorn node-cjs-module-lexer node-undici) ||
        return 1
    for d in "$to"/debs/*.deb; do
        dpkg -x "$d" "$to" || return 1
    done
    rm -rf "$to/debs"
    mv -T "$to" "$debian_node" 2>/dev/null || rm -rf "$to" # another was first
}
unpacked_node() {
    local user=
    [ "$(id -u)" = 0 ] || user=-r
    unshare $user -m sh -c 'mount -t overlay overlay \
        -o "lowerdir=$0/usr/share:/usr/share" /usr/share &&
        LD_LIBRARY_PATH=$(echo "$0"/usr/lib/*-linux-gnu) \
            exec "$0/usr/bin/nodejs" "$@"' "$debian_node" "$@"
}
if shared_openssl nodejs; then
    node_() { nodejs "$@"; }
else
    node_() { unpacked_node "$@"; }
    must unpack_node
    shared_openssl node_ || fail "no nodejs that uses the system's OpenSSL"
fi
