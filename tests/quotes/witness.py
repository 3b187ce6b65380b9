"""A receiver of heads: a real HTTP server that fails as often as it is told to, then keeps what it gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


class Witness:
    """What the server was sent, and how it answers the next requests before it answers 204."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []
        self.refused = 0
        self.release = Event()
        self.url = ""

    @property
    def heads(self) -> list[dict[str, Any]]:
        """All heads that were taken, in order."""
        return [head for body in self.bodies for head in body["heads"]]

    @contextmanager
    def serving(self) -> Iterator[Witness]:
        """Serve on a port of this machine."""
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                witness.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/heads?key=secret"
        try:
            yield self
        finally:
            self.release.set()
            server.shutdown()
            server.server_close()
            thread.join(timeout=5)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Take a request, or fail it: 0 ends the connection without an answer, 1 says nothing until released."""
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        status = self.answers.pop(0) if self.answers else 204
        if status == 1:
            self.release.wait(timeout=30)
        if status in (0, 1):
            handler.close_connection = True
        elif 200 <= status < 300:
            self.bodies.append(body)
            handler.send_response(status)
            handler.end_headers()
            return
        else:
            handler.send_response(status)
            handler.send_header("Location", "/elsewhere")
            handler.end_headers()
        self.refused += 1
