#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Apache, event and prefork, with workers that run as nobody: TLS 1.2 and 1.3
# under load, a graceful restart meanwhile. Flow 33.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/tools.sh"
up "$tmp/dev"
cd "$work"
open_socket nogroup
web=$(key_hash web)
self_signed web web.crt
cp "$MPC_DEV/web.pem" web.key
mkdir -p www
echo 'signed by three' >www/index.html
chmod -R a+rX .

modules=/usr/lib/apache2/modules
config() { # mpm
    cat >apache.conf <<EOF
ServerRoot $work
ServerName localhost
PidFile $work/$1.pid
ErrorLog $work/$1.log
DefaultRuntimeDir $work
Mutex file:$work
Listen 127.0.0.1:$port
$([ "$(id -u)" != 0 ] || printf 'User nobody\nGroup nogroup\n')
LoadModule mpm_$1_module $modules/mod_mpm_$1.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dir_module $modules/mod_dir.so
LoadModule ssl_module $modules/mod_ssl.so
StartServers 2
DirectoryIndex index.html
SSLEngine on
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLSessionTickets off
SSLCertificateFile $work/web.crt
SSLCertificateKeyFile $work/web.key
DocumentRoot $work/www
EOF
}
apache=(apache2 -d "$work" -f "$work/apache.conf")
start() {
    config "$1"
    # it ends its whole process group, which must not be ours
    exec setsid "${apache[@]}" -DFOREGROUND
}

for mpm in event prefork; do
    n=$(signatures "$web")
    serve start $mpm
    must "${apache[@]}" -t
    same "$(signatures "$web")" "$n" "$mpm: the start signed"
    for v in TLSv1_2 TLSv1_3; do
        load 200 8 'signed by three' $v &
        load=$!
        sleep 0.3
        kill -USR1 "$server" # graceful
        wait $load || {
            cat load.out $mpm.log
            fail "$mpm $v"
        }
        n=$((n + 200))
    done
    same "$(signatures "$web")" "$n" "$mpm: one signature a handshake"
    [ "$(id -u)" != 0 ] || for p in $(pgrep -P "$server"); do
        same "$(stat -c %U "/proc/$p")" nobody "a worker's user"
    done
    stop "$server"
    if grep -E '\[ssl:(error|emerg|crit)\]' $mpm.log; then
        fail "$mpm complains"
    fi
done
