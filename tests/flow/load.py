# SPDX-License-Identifier: Apache-2.0
"""N requests over new TLS connections, C at once; every one verified, every
answer compared. Prints what failed, and fails then.

    load.py PORT CA-FILE N C TEXT [VERSION]
"""
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

port, ca, n, at_once, text = (int(sys.argv[1]), sys.argv[2], int(sys.argv[3]),
                              int(sys.argv[4]), sys.argv[5].encode())
context = ssl.create_default_context(cafile=ca)
if len(sys.argv) > 6:
    version = getattr(ssl.TLSVersion, sys.argv[6])
    context.minimum_version = context.maximum_version = version


def request(_):
    try:
        with socket.create_connection(("127.0.0.1", port), 20) as tcp:
            with context.wrap_socket(tcp, server_hostname="localhost") as tls:
                tls.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
                answer = b""
                while part := tls.recv(4096):
                    answer += part
        if b" 200 " not in answer.split(b"\r\n")[0] or text not in answer:
            return f"answered {answer[:200]!r}"
    except OSError as e:
        return str(e)
    return None


start = time.monotonic()
with ThreadPoolExecutor(at_once) as pool:
    failed = [r for r in pool.map(request, range(n)) if r]
took = time.monotonic() - start
for why in sorted(set(failed)):
    print(f"{failed.count(why)} failed: {why}")
print(f"{n} requests, {len(failed)} failed, {n / took:.0f} a second")
sys.exit(1 if failed else 0)
