"""Try an Expert Advisor without MetaTrader: ``python -m ea.mql.testkit.trial --help``.

The expert runs in the simulated terminal against a running platform; one deal is made, and what the chart says is
printed until the deal's signal has come to its result.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from ea.mql.testkit.build import expert_built
from ea.mql.testkit.simulated import Terminal

_SOURCES = Path(__file__).resolve().parents[1]
EXPERTS = {
    "signal": _SOURCES / "mt5" / "FairstrikeSignal.mq5",
    "monitor": _SOURCES / "mt5" / "FairstrikeMonitor.mq5",
    "mt4": _SOURCES / "mt4" / "FairstrikeSignal.mq4",
}
# In the order of the experts' input.
TRANSPORTS = ("tcp", "ws", "http")
_RESULTS = ("won", "lost", "tied", "refunded", "denied", "rejected")
_LOOK_EVERY_S = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Make one deal; return 0 once its order is settled, 1 when it came to nothing."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.expert == "mt4" and asked.transport not in (None, "http"):
        parser.error("MetaTrader 4 has no sockets: mt4 goes with --transport http only")
    transport = asked.transport or ("http" if asked.expert == "mt4" else "tcp")
    with tempfile.TemporaryDirectory(prefix="fairstrike-terminal-") as folder:
        keys = Path(folder) / "Files" / "Fairstrike"
        keys.mkdir(parents=True)
        (keys / "signal.key").write_text(asked.key.read_text())
        settings = {
            "InpTransport": str(TRANSPORTS.index(transport)),
            "InpHost": asked.host,
            "InpPort": str(asked.port + 1 if transport == "ws" else asked.port),
            "InpUrl": f"http://{asked.host}",
            # Experts know one port for HTTP; a platform of one's own has another one.
            "TERMINAL_PORT_80": str(asked.web_port),
            "InpStake": asked.stake,
            "InpExpiryS": str(asked.seconds),
            # The deal is made before the link is up, and a short option's usual tenth is soon over.
            "InpValidMs": "5000",
            "TERMINAL_LOGIN": asked.account,
            "TERMINAL_SERVER": asked.server,
        }
        terminal = Terminal(expert_built(EXPERTS[asked.expert]), Path(folder), settings)
        try:
            word = "order" if asked.expert == "mt4" else "deal"
            terminal.do(f"{word} symbol={asked.symbol}")
            return _watched(terminal, within_s=asked.seconds + 30)
        finally:
            terminal.kill()


def _watched(terminal: Terminal, *, within_s: float) -> int:
    until_s = time.monotonic() + within_s
    shown = ""
    while time.monotonic() < until_s:
        comment = terminal.comment()
        _, _, results = comment.partition("last results:")
        if results != shown:
            sys.stdout.write(comment + "\n\n")
            sys.stdout.flush()
            shown = results
        if (found := next((word for word in _RESULTS if word in results), None)) is not None:
            return int(found in ("denied", "rejected"))
        time.sleep(_LOOK_EVERY_S)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Let an Expert Advisor make one deal in a simulated terminal.")
    parser.add_argument("--key", type=Path, required=True, help="a file with one line: <key id> <secret>")
    parser.add_argument("--account", required=True, help="the login that the key belongs to, a number")
    parser.add_argument("--server", required=True, help="the trade server of that login")
    parser.add_argument("--expert", choices=EXPERTS, default="signal", help="which one [%(default)s]")
    parser.add_argument("--transport", choices=TRANSPORTS, help="how it sends [tcp; mt4: http, and nothing else]")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100, help="EA_PORT of the platform [%(default)s]")
    parser.add_argument("--web-port", type=int, default=8000, help="its PORT, for HTTP [%(default)s]")
    parser.add_argument("--symbol", default="EURUSD")
    parser.add_argument("--stake", default="1.00")
    parser.add_argument("--seconds", type=int, default=5, help="time to expiry [%(default)s]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
