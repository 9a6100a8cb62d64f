"""A server that knows ConfigMaps, remembers what it was asked, and answers as it is told."""

import http.server
import json
import threading
from urllib.parse import unquote

CONFIGMAPS = {
    "resource": "configmaps",
    "responseKind": {"kind": "ConfigMap"},
    "scope": "Namespaced",
    "singularResource": "configmap",
    "shortNames": ["cm"],
}
GROUP = {"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [CONFIGMAPS]}]}


class RecordingServer:
    """Serves between enter and exit. `answers`: (method, path) to a body, or to a code and a body.

    `asked` are the methods and targets of the requests, `headers` what came with them; discovery is not noted.
    """

    def __init__(self, prefix=""):
        self.prefix = prefix
        self.answers = {}
        self.asked = []
        self.headers = []

    def __enter__(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.place = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.place}{self.prefix}"
        return self

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def answer(self, method, target):
        path = target.partition("?")[0].removeprefix(self.prefix)
        if path in ("/api", "/apis"):
            return 200, {"items": [GROUP] if path == "/api" else []}
        known = self.answers.get(
            (method, unquote(path)), (404, {"reason": "NotFound", "message": "none", "code": 404})
        )
        return known if isinstance(known, tuple) else (200, known)

    def _handler(recorder):  # noqa: N805
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code, body = recorder.answer(self.command, self.path)
                if self.path.removeprefix(recorder.prefix) not in ("/api", "/apis"):
                    recorder.asked.append(f"{self.command} {self.path}")
                    recorder.headers.append(self.headers)
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815

            def log_message(self, *words):
                pass

        return Handler
