# SPDX-License-Identifier: Apache-2.0
"""TLS 1.2 and 1.3 of Python's ssl with itself, both sides with the same
certificate and key, each verified by the other.

    tls_pair.py CERT KEY
"""
import socket
import ssl
import sys
import threading


def handshake(version, cert, key):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for c in (server, client):
        c.minimum_version = c.maximum_version = version
        c.load_cert_chain(cert, key)
        c.load_verify_locations(cert)
        c.verify_mode = ssl.CERT_REQUIRED
    left, right = socket.socketpair()
    left.settimeout(20)
    right.settimeout(20)

    def serve():
        with server.wrap_socket(left, server_side=True) as s:
            s.sendall(s.recv(16) + s.getpeercert(True)[:4])

    t = threading.Thread(target=serve)
    t.start()
    with client.wrap_socket(right, server_hostname="localhost") as c:
        c.sendall(b"hello")
        answer = c.recv(64)
    t.join()
    assert answer[:6] == b"hello0", answer


def both(cert, key):
    handshake(ssl.TLSVersion.TLSv1_2, cert, key)
    handshake(ssl.TLSVersion.TLSv1_3, cert, key)


if __name__ == "__main__":
    both(*sys.argv[1:3])
