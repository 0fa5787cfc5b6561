"""A webhook receiver as an integrator would write it in Python: verifies with the published standardwebhooks library.

First line of output: `listening on http://127.0.0.1:PORT`. Then one JSON line per request, written before the answer is
sent, so that whoever saw the answer finds the line: {"verified": bool, "headers": {...}, "body_base64": "..."}.
"""

import argparse
import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from standardwebhooks import Webhook, WebhookVerificationError

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--secret", required=True, help="the webhook's secret, whsec_…")
webhook = Webhook(parser.parse_args().secret)
printing = Lock()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        verified = self.is_verified(body, headers)
        line = {"verified": verified, "headers": headers, "body_base64": base64.b64encode(body).decode()}
        self.send_response(200 if verified else 401)
        self.send_header("content-length", "0")
        self.end_headers()
        # After the answer: whoever reads the line may stop this program at once.
        with printing:
            print(json.dumps(line), flush=True)

    def is_verified(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            webhook.verify(body, headers)
        # The library raises ValueError for a body or signature that is not text of the form it expects.
        except (WebhookVerificationError, ValueError):
            return False
        return True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the line above is the record."""


class Server(ThreadingHTTPServer):
    # The default of 5 turns a burst of deliveries into connection timeouts.
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Receiver)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
