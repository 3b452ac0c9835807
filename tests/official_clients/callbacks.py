"""A listener for status callbacks, and the provider's own check of their signatures."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator


class Callback:
    def __init__(self, address, target, signature, body):
        self.address, self.target, self.signature = address, target, signature
        self.fields = parse_qsl(body, keep_blank_values=True, strict_parsing=True, errors="strict")

    def __repr__(self):
        return f"{self.target} {self.fields} signed {self.signature}"

    def field(self, name):
        return dict(self.fields).get(name)

    def is_signed(self, auth_token):
        params = dict(self.fields)
        assert len(params) == len(self.fields), f"{self} repeats a field"
        return RequestValidator(auth_token).validate(self.address + self.target, params, self.signature)


class Listener:
    """Takes callbacks on a free port of loopback while it is entered."""

    def __init__(self):
        self.taken = []
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                address = f"http://{self.headers['host']}"
                taken.append(Callback(address, self.path, self.headers["x-twilio-signature"], body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def url(self, target):
        return f"http://127.0.0.1:{self.server.server_port}{target}"

    def __enter__(self):
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
