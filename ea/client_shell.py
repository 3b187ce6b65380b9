"""The sample client from a shell: ``python -m ea.client_shell --help``. It prints one JSON document a line."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from ea.client import Client, Credentials, DiskSpool, Frame, HttpClient, Spool, TcpLink

FINAL_STATES = ("denied", "rejected", "settled")
# A result comes a little after expiry.
_SETTLED_WITHIN_S = 30


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Speak with the bridge of a platform.")
    parser.add_argument("--key", type=Path, required=True, help="a file with one line: <key id> <secret>")
    parser.add_argument("--account", required=True, help="the login that the key belongs to")
    parser.add_argument("--server", required=True, help="the trade server of that login")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the platform [%(default)s]")
    parser.add_argument("--tcp", metavar="HOST:PORT", help="send over TCP instead of HTTP")
    parser.add_argument("--spool", type=Path, default=Path("signals.spool"), help="what waits [%(default)s]")
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("symbols", help="list the symbols that the key may trade")
    acts.add_parser("resend", help="send what waits")
    send = acts.add_parser("send", help="send one signal and wait for its result")
    send.add_argument("symbol")
    send.add_argument("direction", choices=["call", "put"])
    send.add_argument("stake", help="decimal text, such as 10.00")
    send.add_argument("seconds", type=int, help="time to expiry")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Do what a command line asks for, one JSON document a line; return the exit status."""
    asked = _parser().parse_args(arguments)
    kid, secret = asked.key.read_text().split()
    credentials = Credentials(kid, secret, account=asked.account, server=asked.server)
    spool = DiskSpool(credentials, asked.spool)
    try:
        client = HttpClient(spool, asked.url)
        if asked.act == "symbols":
            _tell(client.symbols())
        elif asked.act == "resend":
            return _resent(spool, client)
        else:
            return _sent(asked, spool, client)
    finally:
        spool.close()
    return 0


def _resent(spool: Spool, client: HttpClient) -> int:
    """Send what waits; return 1 when the server takes none of it now."""
    while waited := len(spool.waiting):
        _tell(*client.push())
        if len(spool.waiting) == waited:
            return 1
    return 0


def _sent(asked: argparse.Namespace, spool: Spool, client: HttpClient) -> int:
    """Send one signal, tell each answer, and return 0 once it is settled; 1 when it came to nothing."""
    terms: Frame = {
        "symbol": asked.symbol,
        "direction": asked.direction,
        "stake": {"mode": "fixed", "value": asked.stake},
        "expiry": {"mode": "duration", "s": asked.seconds},
    }
    answers = _over_tcp(asked.tcp, spool, terms) if asked.tcp else _over_http(spool, client, terms)
    _tell(*answers)
    if answers[-1]["type"] != "ack":
        return 1
    until_s = time.monotonic() + asked.seconds + _SETTLED_WITHIN_S
    while time.monotonic() < until_s:
        for frame in client.commands(wait_ms=2_000):
            if frame.get("event_id") == answers[-1]["event_id"]:
                _tell(frame)
                if frame["state"] in FINAL_STATES:
                    return int(frame["state"] != "settled")
        # A server whose waiting places are taken answers at once.
        time.sleep(0.1)
    return 1


def _over_tcp(address: str, spool: Spool, terms: Frame) -> list[Frame]:
    host, _, port = address.rpartition(":")
    client = Client(spool, TcpLink(host, int(port)))
    try:
        welcome = client.hello()
        event_id = client.signal(**terms)
        if welcome["type"] != "welcome":
            return [welcome]
        return [welcome, client.next("ack", "reject", where=lambda frame: frame["event_id"] == event_id)]
    finally:
        client.link.close()


def _over_http(spool: Spool, client: HttpClient, terms: Frame) -> list[Frame]:
    event_id, _ = spool.add(**terms)
    answers, before = list[Frame](), len(spool.waiting) + 1
    # What waited already goes first, a window at a time.
    while event_id in spool.waiting and len(spool.waiting) < before:
        before = len(spool.waiting)
        answers += client.push()
    own = [frame for frame in answers if frame.get("event_id") == event_id]
    return [*(frame for frame in answers if frame not in own), *(own or [{"type": "waits", "event_id": event_id}])]


def _tell(*frames: Frame) -> None:
    for frame in frames:
        sys.stdout.write(json.dumps(frame) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
