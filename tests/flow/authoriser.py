# SPDX-License-Identifier: Apache-2.0
"""An external authoriser for the scenarios: says what the file MODE says.

    authoriser.py MODE ASKED unix:/PATH | 0

Each question is a line of ASKED. 0: a free port, printed on stdout.
"""
import http.server
import os
import socketserver
import sys
import time

mode_file, asked, where = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "local"

    def log_message(self, *_):
        pass

    def do_POST(self):
        question = self.rfile.read(int(self.headers["Content-Length"]))
        with open(asked, "ab") as f:
            f.write(self.path.encode() + b" " + question + b"\n")
        with open(mode_file) as f:
            mode = f.read().strip()
        status, body = 200, b'{"allow":true}'
        if mode == "deny":
            body = b'{"allow":false,"reason":"change freeze"}'
        elif mode == "slow":
            time.sleep(3)
        elif mode == "garbage":
            body = b"<html>allow</html>"
        elif mode == "status":
            status = 503
        elif mode == "created":
            status = 201
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # the sidecar's time was over


class OnUnix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class OnTcp(http.server.ThreadingHTTPServer):
    daemon_threads = True


if where.startswith("unix:"):
    server = OnUnix(where[5:], Handler)
    os.chmod(where[5:], 0o600)
else:
    server = OnTcp(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
server.serve_forever()
