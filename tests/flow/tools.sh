# SPDX-License-Identifier: Apache-2.0
# What the scenarios with other people's programs share: a server on a free
# port, certificates, the count of signatures by key. Sourced after lib.sh.

work=$tmp/work
mkdir "$work"
PATH=$PATH:/usr/sbin:/sbin
export PYTHONDONTWRITEBYTECODE=1 # beside the scenarios

# openssl_is 3.5: this OpenSSL is that or newer
openssl_is() {
    local have
    have=$(openssl version | sed -E 's/^OpenSSL ([0-9]+\.[0-9]+).*/\1/')
    [ "$(printf '%s\n' "$1" "$have" | sort -V | head -1)" = "$1" ]
}

# one_error: what refuse() saw has one line of ours
one_error() {
    same "$(grep -c ':error:[0-9A-F]*:mpc:' "$tmp/out")" 1 "error lines of ours"
}

# ---- counting ----------------------------------------------------------------

# key_hash NAME: as intents name the key
key_hash() {
    openssl pkey -in "mpc:$1" -pubout -outform DER | tail -c 32 | sha256sum |
        cut -d' ' -f1
}
# signatures HASH: intents of that key
signatures() {
    log_entries | grep -a -A2 'mpc-intent/1$' | grep -ac "^key $1\$" || true
}

# ---- servers -----------------------------------------------------------------

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}
# owns PID PORT: it is PID who listens there, not somebody who was faster
owns() {
    local inode
    inode=$(awk -v port="$(printf :%04X "$2")" \
        '$4 == "0A" && $2 ~ port "$" { print $10; exit }' \
        /proc/net/tcp /proc/net/tcp6)
    [ -n "$inode" ] &&
        ls -l "/proc/$1/fd" 2>/dev/null | grep -q "socket:\[$inode\]"
}
# serve COMMAND...: runs it in the background with $port free for it; it ends
# with exec of a server that stays in the foreground. Sets port and server.
serve() {
    local i
    for _ in 1 2 3 4 5; do
        port=$(free_port)
        "$@" >"$work/server.log" 2>&1 &
        server=$!
        for ((i = 0; i < 200; i++)); do
            owns "$server" "$port" && {
                servers[$server]=1
                return
            }
            kill -0 "$server" 2>/dev/null || break
            sleep 0.05
        done
        stop "$server"
    done
    cat "$work/server.log"
    fail "did not come to listen: $*"
}

# load N AT-ONCE TEXT [VERSION]: requests to $port, all answered with TEXT;
# by a client that knows nothing of us
load() {
    env -u OPENSSL_CONF python3 "$here/tests/flow/load.py" "$port" \
        "$work/web.crt" "$@" >"$work/load.out" 2>&1
}

# ---- the socket, as in production ----------------------------------------------

# open_socket GROUP: node1 listens in a directory others may enter, on a socket
# of GROUP; without root the workers are we, and the mode is as before
open_socket() {
    local cnf=$MPC_DEV/node1/daemon.cnf old=$MPC_SIDECAR
    [ -e "$tmp/run" ] || mkdir -m 755 "$tmp/run"
    MPC_SIDECAR=$tmp/run/sidecar.sock
    sed -i -e "s|^socket = .*|socket = $MPC_SIDECAR|" \
        -e '/^socket_mode/d' "$cnf"
    if [ "$(id -u)" = 0 ]; then
        chmod 711 "$tmp"
        chmod 755 "$work"
        printf 'socket_mode = 0660\nsocket_group = %s\n' "$1" >>"$cnf"
    fi
    must "$mpcsign" dev kill node1
    rm -f "$old"
    ln -s "$MPC_SIDECAR" "$old" # for the CA and mpcsign dev
    must "$mpcsign" dev start node1
    export MPC_SIDECAR
    # the configuration, where workers may read it again
    sed "s|^sidecar = .*|sidecar = $MPC_SIDECAR|" "$OPENSSL_CONF" \
        >"$work/openssl.cnf"
    chmod 644 "$work/openssl.cnf"
    export OPENSSL_CONF=$work/openssl.cnf
}

# ---- certificates --------------------------------------------------------------

# self_signed NAME FILE: a certificate for localhost, signed by mpc:NAME
self_signed() {
    must openssl req -x509 -new -key "mpc:$1" -subj /CN=localhost -days 2 \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -out "$2"
}
# software_ca: $work/ca.crt and ca.key, for comparison and for clients
software_ca() {
    must stock req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=software \
        -addext basicConstraints=critical,CA:TRUE \
        -addext subjectKeyIdentifier=hash -keyout "$work/ca.key" -out "$work/ca.crt"
}
# issued NAME FILE [EXTENSION...]: mpc:NAME asks, the software CA certifies
issued() {
    local name=$1 file=$2
    shift 2
    must openssl req -new -key "mpc:$name" -subj "/CN=$name" \
        -out "$work/$name.csr"
    printf '%s\n' "$@" >"$work/$name.ext"
    must stock x509 -req -in "$work/$name.csr" -CA "$work/ca.crt" \
        -CAkey "$work/ca.key" -CAcreateserial -days 1 \
        -extfile "$work/$name.ext" -out "$file"
}
