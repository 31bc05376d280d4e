# SPDX-License-Identifier: Apache-2.0
"""Flow 37: Python's ssl and pyOpenSSL, each as server and client of itself,
both sides with a certificate for mpc:web; what signs is in the module's name.

    languages.py CERT KEY-REFERENCE
"""
import sys

from OpenSSL import SSL, crypto

import tls_pair

cert, key = sys.argv[1:3]


def with_pyopenssl():
    server = SSL.Context(SSL.TLS_METHOD)
    client = SSL.Context(SSL.TLS_METHOD)
    with open(key, "rb") as f:
        pkey = crypto.load_privatekey(crypto.FILETYPE_PEM, f.read())
    server.use_privatekey(pkey)
    client.use_privatekey_file(key)
    for c in (server, client):
        c.use_certificate_chain_file(cert)
        c.check_privatekey()
        c.load_verify_locations(cert)
        c.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    a, b = SSL.Connection(server), SSL.Connection(client)
    a.set_accept_state()
    b.set_connect_state()
    done = set()
    for _ in range(20):  # hand over what each wants to say
        for one, other in ((a, b), (b, a)):
            try:
                one.do_handshake()
                done.add(one)
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(one.bio_read(65536))
            except SSL.WantReadError:
                pass
    assert len(done) == 2, "the handshake did not end"
    assert a.get_peer_certificate().get_subject().CN == "localhost"
    b.send(b"hello")
    a.bio_write(b.bio_read(65536))
    assert a.recv(16) == b"hello"


tls_pair.both(cert, key)
with_pyopenssl()
