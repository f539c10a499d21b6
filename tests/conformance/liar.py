"""A proxy between the clients and the simulator, which can tell one lie.

`Host` passes through unchanged, so signatures still hold; what a lie has to ask for itself it asks
with a token of its own. Nothing of this is part of the product."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Of one connection only, or written anew.
NOT_PASSED = {"connection", "content-length", "transfer-encoding", "keep-alive"}


class Exchange:
    """One request and its answer, which a lie may change."""

    def __init__(self, liar, method, target, headers, body):
        self.liar, self.method, self.target, self.headers, self.body = liar, method, target, headers, body
        self.path = urlsplit(target).path
        self.status, self.answer_headers, self.answer = 0, [], b""

    def send(self, headers=None):
        """Asks the simulator."""
        line = http.client.HTTPConnection(self.liar.upstream, timeout=30)
        line.putrequest(self.method, self.target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers if headers is not None else self.headers:
            if name.lower() not in NOT_PASSED:
                line.putheader(name, value)
        line.putheader("Content-Length", str(len(self.body)))
        line.endheaders(self.body)
        answer = line.getresponse()
        self.status, self.answer_headers, self.answer = answer.status, answer.getheaders(), answer.read()
        line.close()

    @property
    def json(self):
        """The answer as JSON, if it is some."""
        try:
            return json.loads(self.answer)
        except ValueError:
            return None

    @json.setter
    def json(self, value):
        self.answer = json.dumps(value).encode()


class Liar:
    """Serves while it is entered; `tell` is handed each exchange, sent already."""

    def __init__(self, told, tell):
        self.told, self.tell = told, tell
        self.upstream = urlsplit(told["endpoint"]).netloc
        self.memory, self.lock = {}, threading.Lock()
        liar = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                """Says nothing."""

            def serve(self):
                """Asks upstream, lies, answers."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = list(self.headers.items())
                exchange = Exchange(liar, self.command, self.path, headers, body)
                exchange.send()
                with liar.lock:
                    liar.tell(exchange)
                here, there = liar.endpoint.encode(), told["endpoint"].encode()
                answer = exchange.answer.replace(there, here)
                self.send_response_only(exchange.status)
                for name, value in exchange.answer_headers:
                    if name.lower() not in NOT_PASSED:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = serve

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def token(self):
        """A token of the liar's own."""
        told = self.told
        body = {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": told["username"], "password": told["password"],
                "domain": {"name": told["domain_name"]}}}},
            "scope": {"project": {"name": told["project_name"]}}}}
        login = Exchange(self, "POST", "/v3/auth/tokens", [("Host", self.upstream)], json.dumps(body).encode())
        login.send()
        return dict((name.lower(), value) for name, value in login.answer_headers)["x-subject-token"]

    def ask(self, target):
        """A look of the liar's own."""
        look = Exchange(self, "GET", target, [], b"")
        look.send([("Host", self.upstream), ("X-Auth-Token", self.token())])
        return look.json
