"""Clients of the matrix insist: the same order, the same id, until there is an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.faults.traffic import Traffic
from bench.soak.traders import Trader
from tests.support import eventually

TRADER = Trader(0, "faults-0@example.com", "00000000-0000-7000-8000-000000000001", "fs_x")


@contextmanager
def _answering(*script: tuple[int, dict[str, Any]] | None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Answer requests by a script, and then with one order for all; None closes the connection without a word."""
    heard: list[dict[str, Any]] = []
    answers = list(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = answers.pop(0) if answers else (201, {"id": f"order of {heard[-1]['client_order_id']}"})
            if answer is None:
                self.close_connection = True
                return
            body = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", heard
        server.shutdown()
        serving.join()


def _traded(url: str, orders: int) -> Traffic:
    traffic = Traffic(url=url, traders=[TRADER], codes=["EURUSD"], seed=1)
    traffic.start()
    eventually(lambda: len(traffic.seen.accepted) + sum(traffic.seen.refused.values()) >= orders, within_s=20)
    traffic.stop()
    return traffic


def test_an_order_is_sent_with_the_same_id_until_it_is_answered() -> None:
    """F-01, F-09: no word, a server's error, then an answer: one order, one id, equal terms."""
    with _answering(None, (503, {"code": "order.busy"}), (500, {})) as (url, heard):
        seen = _traded(url, 1).seen
    assert heard[0] == heard[1] == heard[2] == heard[3]
    assert seen.accepted["faults-1"] == "order of faults-1"
    assert seen.retries == 3
    assert seen.problems == []


def test_a_refusal_that_the_market_gives_is_final() -> None:
    """A stale market takes no order, and the client goes on with the next one."""
    with _answering((409, {"code": "market.stale"})) as (url, heard):
        seen = _traded(url, 2).seen
    assert heard[0]["client_order_id"] != heard[1]["client_order_id"]
    assert seen.refused["market.stale"] == 1
    assert seen.problems == []


def test_a_refusal_that_no_order_of_the_load_can_get_is_a_problem() -> None:
    """The load is sound: whatever else is said of it is a defect."""
    with _answering((422, {"code": "order.client_order_id.reused"})) as (url, _):
        seen = _traded(url, 1).seen
    assert seen.problems == ["faults-1 was refused: order.client_order_id.reused"]
