"""Takes webhooks and keeps them: POST anywhere stores, GET /received lists them in their order."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

received = []
lock = Lock()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with lock:
            received.append({"id": self.headers["webhook-id"], "signature": self.headers["webhook-signature"], "body": body})
        self.answer({})

    def do_GET(self):
        with lock:
            self.answer(received)

    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("0.0.0.0", 8000), Receiver).serve_forever()
