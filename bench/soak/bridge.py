"""``python -m bench.soak.bridge``: a thousand Expert Advisors send thousands of signals a second to the real gateway.

How many is reckoned from what a bare echo of such a frame costs on this machine, unless it is said.

Most signals name a symbol that is halted for the bridge, so that they are logged, decided and told, and become no
order; a few each second become demo orders. Exit code 0 when every signal was acknowledged once, is in the log once,
came to one answer, and all books hold.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.ratios.servers import Rig, tree_cpu_s

if TYPE_CHECKING:
    from bench.ratios.bridge import Gateway, Keys

Document = dict[str, Any]
DECIDED_LIMIT_S = 900.0
# So much of the rate that was asked for, the wait for the last acknowledgement included.
REACHED = 0.98
# What a signal may cost all processes together, the load included, in bare echoes of its frame; and the highest rate.
ECHOES, PER_S_MAX = 30, 10_000
_ECHO_CONNECTIONS, _ECHO_PER_S, _ECHO_S = 300, 3_000, 2

_STATES = """
SELECT o.state, coalesce(o.code, ''), count(*) FROM ea_event AS event JOIN ea_order AS o ON o.event_id = event.id
WHERE event.sid = 'soak' GROUP BY 1, 2 ORDER BY 1, 2"""
_LOGGED = "SELECT count(*) FROM ea_event WHERE sid = 'soak'"
_BATCHES = "SELECT count(DISTINCT log_us) FROM ea_event WHERE sid = 'soak'"
_ORDERS = "SELECT count(*) FROM trading_order WHERE source = 'ea'"
_WAITS = """
SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY (way.answered_us - way.recv_us) / 1000.0)
FROM ea_latency AS way JOIN ea_event AS event ON event.id = way.event_id
WHERE event.sid = 'soak' AND way.submitted_us IS NOT NULL"""


def options_parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak.bridge", description=__doc__)
    parser.add_argument("--connections", type=int, default=1_000, help="how many Expert Advisors [1000]")
    parser.add_argument("--sockets", type=int, default=100, help="how many of them over WebSocket [100]")
    parser.add_argument("--per-s", type=int, help="signals a second in all [what the processors should bear]")
    parser.add_argument("--orders-per-s", type=int, default=20, help="how many of these become orders [20]")
    parser.add_argument("--seconds", type=int, default=60, help="how long [60]")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    asked = parser.parse_args(arguments)
    per_s = PER_S_MAX if asked.per_s is None else asked.per_s
    if not (0 <= asked.sockets <= asked.connections <= 1_000 and 0 < asked.orders_per_s <= per_s):
        parser.error("at most 1,000 connections, and no more sockets than those; at least one order a second")
    return asked


def soaked(rig: Rig, asked: argparse.Namespace) -> Document:
    """Run the load and return the report, with everything that is wrong under ``problems``."""
    # These know the platform's models, which are there only now.
    from bench.ratios import bridge
    from bench.ratios.stock import Stock
    from ea.domain import TradingState
    from ea.risk_services import bridge_state_set
    from kernel.clock import wall_ms

    stock = Stock.filled(rig.servers.urls.owner)
    keys = bridge.keys_made(max(asked.connections, _ECHO_CONNECTIONS))
    asked.echo_us = echo_us(rig, keys[:_ECHO_CONNECTIONS])
    if asked.per_s is None:
        asked.per_s = borne_per_s(asked.echo_us, os.cpu_count() or 1)
    keys = keys[: asked.connections]
    bridge_state_set(symbol="P01", state=TradingState.HALTED, reason="soak", now_ms=wall_ms())
    with bridge.gateway(rig) as served:
        bridge.warmed(rig, stock, served, keys[: bridge.CONNECTIONS])
        return _loaded(rig, served, keys, asked)


def borne_per_s(echo_us: float, processors: int) -> int:
    """Return how many signals a second some processors should bear: hundreds, and no more than is ever asked for."""
    return min(PER_S_MAX, int(processors * 1e6 / (ECHOES * echo_us)) // 100 * 100)


def echo_us(rig: Rig, keys: Keys) -> float:
    """Return the processor microseconds for which this machine's event loop sends the frame of a signal back."""
    from bench.ratios import bridge

    with (
        bridge.echo_server(rig) as echo,
        bridge.experts(rig, bridge.named(keys, "echo"), port=echo.port, echo=True) as bare,
    ):
        bare.prepare(per_s=_ECHO_PER_S, seconds=_ECHO_S)
        before_s = bridge.used_s(echo.pid)
        told = bare.go()
        return (bridge.used_s(echo.pid) - before_s) * 1e6 / float(told["sent"])


def _loaded(rig: Rig, served: Gateway, keys: Keys, asked: argparse.Namespace) -> Document:
    from bench.ratios import books, bridge

    with (
        bridge.executor(rig) as executor,
        bridge.experts(rig, bridge.named(keys, "soak"), sockets=asked.sockets, **served.ports) as terminals,
    ):
        # Odd: the orders fall on all lanes of the executor, not on the connections of one.
        every = asked.per_s // asked.orders_per_s | 1
        terminals.prepare(per_s=asked.per_s, seconds=asked.seconds, every=every)
        pids = {"gateway": served.pid, "executor": executor, "postgres": rig.servers.pids["postgres"]}
        before, began_s = {name: tree_cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
        told = terminals.ask({})
        cpu_s = {name: tree_cpu_s(pid) - before[name] for name, pid in pids.items()}
        behind = bridge.count_of(bridge.UNDECIDED)
        bridge.decided_await(DECIDED_LIMIT_S)
        document = {
            "asked": {name: getattr(asked, name) for name in ("connections", "sockets", "per_s", "seconds")},
            "sent": told["sent"],
            "acknowledged": told["answered"],
            "per_s": round(told["answered"] / told["wall_s"]),
            "acknowledged_ms": {name: round(told[f"{name}_ms"], 1) for name in ("p50", "p95", "p99")},
            "load_late_ms": round(told["late_ms"], 1),
            "cpu_us": {name: round(used * 1e6 / told["sent"], 1) for name, used in cpu_s.items()},
            "load_cpu_us": round(told["cpu_s"] * 1e6 / told["sent"], 1),
            "echo_cpu_us": round(asked.echo_us, 1),
            "undecided_at_the_end": behind,
            "decided_s": round(time.monotonic() - began_s, 1),
            "faults": told["faults"],
        }
        document |= _found(traded=-(-told["sent"] // every)) | {"books": books.checked()}
    return document | {"problems": verdict(document)}


def _found(*, traded: int) -> Document:
    """Return what the database tells of the run; ``traded`` is how many orders there should be."""
    from bench.ratios.bridge import count_of
    from kernel import db

    waits = db.row(_WAITS)
    return {
        "logged": count_of(_LOGGED),
        "commits": count_of(_BATCHES),
        "states": {f"{state} {code}".strip(): int(count) for state, code, count in db.rows(_STATES)},
        "orders": count_of(_ORDERS),
        "orders_asked": traded,
        "order_ms": [round(float(wait), 1) for wait in waits[0]] if waits and waits[0] else [],
    }


def verdict(document: Document) -> list[str]:
    """Return everything that makes a run fail, in words; nothing when it holds."""
    sent, traded = document["sent"], document["orders_asked"]
    found = [f"{name}: {times}" for name, times in document["faults"].items()]
    if document["acknowledged"] != sent or document["logged"] != sent:
        found.append(f"{sent} sent, {document['acknowledged']} acknowledged, {document['logged']} in the log")
    states = dict(document["states"])
    # Whoever is decided after his time has run out, because the executor is that far behind, becomes no order.
    opened, stale = states.pop("open", 0), states.pop("expired signal.stale", 0)
    if states != {"denied risk.halted": sent - traded} or opened + stale != traded or not opened:
        found.append(f"{traded} orders asked for; signals stand at {document['states']}")
    if document["orders"] != opened:
        found.append(f"{document['orders']} orders for {opened} signals that became one")
    if document["per_s"] < REACHED * document["asked"]["per_s"]:
        found.append(f"{document['per_s']} a second of {document['asked']['per_s']}")
    if document["books"] != "all hold":
        found.append(f"books: {document['books']}")
    return found


def report_text(document: Document) -> str:
    """Return the report for people."""
    shown = [f"{name:<24}{value}" for name, value in document.items() if name != "problems"]
    problems = document["problems"]
    return "\n".join(
        [*shown, "", *(f"FAILED {problem}" for problem in problems)] if problems else [*shown, "", "holds"]
    )


def main() -> int:
    """Run the soak of the bridge and print its report."""
    asked = options_parsed(sys.argv[1:])
    rig = Rig()
    try:
        rig.prepare()
        document = soaked(rig, asked)
    finally:
        rig.stop()
    sys.stdout.write((json.dumps(document, indent=1) if asked.json else report_text(document)) + "\n")
    return 1 if document["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
