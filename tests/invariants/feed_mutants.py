"""Faults of the log, of events and of what follows settled orders (I-16, I-20, I-29, I-30, I-35)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts import services as accounts_services
from kernel import db, facts
from quotes import admission
from quotes import domain as quotes_domain
from quotes import statements as quotes_statements
from quotes.admission import heartbeats_record
from realtime import services as event_services
from realtime import statements as event_statements
from settlement import services, statistics
from tests.invariants.mutant import Mutant, Patch, replaced
from tests.invariants.scenario import Scenario
from tests.market import market_open, settle_due
from trading import limits

_untimely = quotes_domain._untimely
_told = services._told
_draft = limits._draft


def _watermark_ignored(tick: Any, price: int, head: Any, recent: Any, settings: Any) -> Any:
    reason = _untimely(tick, price, head, recent, settings)
    return None if reason is quotes_domain.Refusal.LATE else reason


def _late_tick(scenario: Scenario) -> None:
    """Bring a tick after a heartbeat has raised the watermark past it."""
    scenario.go_on()
    newest_ms = scenario.waits.newest_ms
    heartbeats_record(heartbeats={scenario.waits.id: newest_ms + 20_000})
    scenario.waits.tick("1.08540", at_ms=newest_ms + 5_000, received_ms=newest_ms + 20_000)


def _watermark_fell(scenario: Scenario) -> None:
    scenario.go_on()
    newest_ms = scenario.waits.newest_ms
    for heard_ms in (newest_ms + 20_000, newest_ms + 10_000):
        heartbeats_record(heartbeats={scenario.waits.id: heard_ms})


def _not_stored(*_: Any) -> None:
    return None


def _newest_tick_lost(scenario: Scenario) -> None:
    scenario.waits.admitted("1.08541", at_ms=scenario.waits.now_ms + 10_000)


def _jumped(scenario: Scenario) -> None:
    market = market_open("JUMPS")
    market.tick("1.30000", at_ms=market.now_ms + 1)
    scenario.go_on()


def _anything_near(price: int, level: int, settings: Any) -> bool:
    return True


def _forgotten(kind: str) -> tuple[Patch, ...]:
    """Return a writer of events that forgets one kind."""

    def kept(*args: Any) -> Any:
        return [event for event in _told(*args) if event.type != kind]

    return ((services, "_told", kept),)


def _renamed(user_id: Any, kind: str, payload: Any, now_ms: int) -> Any:
    return _draft(user_id, "limit.set" if kind == "limit.changed" else kind, payload, now_ms)


def _doubled(fact: str, references: Any) -> None:
    facts.facts_enqueue(fact, references)
    facts.facts_enqueue(fact, references)


def _told_before(fact: str, references: Any) -> None:
    """Tell followers of an order that is still open, too."""
    found = db.row("SELECT order_id FROM trading_order_open WHERE NOT order_id = ANY(%s) LIMIT 1", [list(references)])
    assert found is not None
    more: list[UUID] = [*references, found[0]]
    facts.facts_enqueue(fact, more)


def _settled_and_waiting(scenario: Scenario) -> None:
    """Settle a batch that no follower applies yet."""
    found = db.row("SELECT min(expires_at_ms) FROM trading_order_open")
    assert found is not None
    scenario.market.admitted("1.08700", at_ms=int(found[0]) + 1)
    assert settle_due() == 8


FEED_MUTANTS = (
    Mutant(
        "I-16 ticks",
        "a tick below the watermark is admitted",
        ((quotes_domain, "_untimely", _watermark_ignored),),
        act=_late_tick,
    ),
    Mutant(
        "I-16 no watermark",
        "a watermark follows the newest heartbeat, also backwards",
        (
            (
                quotes_statements,
                "HEARTBEATS_WRITE",
                replaced(
                    replaced(
                        quotes_statements.HEARTBEATS_WRITE,
                        "greatest(head.watermark_ms, new.heartbeat_ms - %(grace_ms)s)",
                        "new.heartbeat_ms - %(grace_ms)s",
                    ),
                    "WHERE watermark_ms > before",
                    "WHERE watermark_ms <> before",
                ),
            ),
        ),
        ("quotes_symbol_head.quotes_head_forward",),
        _watermark_fell,
    ),
    Mutant(
        "I-16 no watermark",
        "a head moves on and its tick is not stored",
        ((admission, "_ticks_copy", _not_stored),),
        act=_newest_tick_lost,
    ),
    Mutant(
        "I-20",
        "every price is taken for near",
        ((quotes_domain, "_near", _anything_near),),
        act=_jumped,
    ),
    Mutant(
        "I-29 each order",
        "the event of a settlement is published and not stored",
        _forgotten("order.settled"),
    ),
    Mutant(
        "I-29 each movement",
        "the balance after a settlement is not told",
        _forgotten("balance.changed"),
    ),
    Mutant("I-29 each ban", "nobody tells of a ban", ((accounts_services, "on_user_banned", []),)),
    Mutant("I-29 each ban", "a change of limits is told by another name", ((limits, "_draft", _renamed),)),
    Mutant(
        "I-30",
        "numbers come from a sequence, which leaves holes",
        (
            (
                event_services,
                "COUNTERS_RAISE",
                replaced(event_statements.COUNTERS_RAISE, "c.seq + n.amount", "c.seq + n.amount + 1"),
            ),
        ),
    ),
    Mutant(
        "I-35 each settled",
        "a tie is counted as a win",
        (
            (
                statistics,
                "_SYMBOLS",
                replaced(statistics._SYMBOLS, "(WHERE o.state = 'won')", "(WHERE o.state IN ('won', 'tied'))"),
            ),
        ),
    ),
    Mutant(
        "I-35 the payout",
        "the window of the payout sees wins only",
        ((statistics, "_WINDOW", replaced(statistics._WINDOW, "o.state IN ('won', 'lost')", "o.state = 'won'")),),
    ),
    Mutant(
        "I-35 what waits",
        "a settled batch is left for its followers twice",
        ((services, "facts_enqueue", _doubled),),
        act=_settled_and_waiting,
    ),
    Mutant(
        "I-35 what waits",
        "followers are told of an open order",
        ((services, "facts_enqueue", _told_before),),
        act=_settled_and_waiting,
    ),
)
