"""Server that computes while it is idle: `python busy.py PORT`."""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMPUTE_S, REST_S = 0.004, 0.006


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_request(self, *_: object) -> None:
        pass


def compute() -> None:
    while True:
        end = time.monotonic() + COMPUTE_S
        while time.monotonic() < end:
            pass
        time.sleep(REST_S)


threading.Thread(target=compute, daemon=True).start()
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
