"""Replay: the log of the bridge alone makes every stored order again, and whatever was changed afterwards is seen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from ea.log import EventLog
from ea.models import Counter, EaOrder, Event, Transition
from ea.replay import folding, history
from ea.replay.checking import CHECKS, MADE_UP, NUMBERS, log_check
from ea.replay.history import Scope
from kernel import db
from kernel.clock import rfc3339
from tests.ea.bridge import execute_due
from tests.ea.events import arrived
from tests.ea.histories import History, history_make
from tests.invariants.walls import walls_down
from tests.market import db_now_ms

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def past() -> History:
    return history_make()


def replayed(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it printed."""
    out = StringIO()
    try:
        call_command("ea_replay", *arguments, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def red(scope: Scope | None = None) -> set[str]:
    """Return the checks that do not hold."""
    return {check for check, faults in log_check(scope or Scope()).faults.items() if faults}


def test_a_sound_log_makes_every_order_again(past: History) -> None:
    """ea 6.1: the fold reproduces what is stored hash for hash, whatever became of an event."""
    result = log_check(Scope())
    assert result.examples == []
    assert result.holds
    assert result.events == EaOrder.objects.count() == len(past.ids)
    stored = dict(EaOrder.objects.values_list("event__event_id", "state"))
    assert {name: stored[db_id] for name, db_id in _by_name(past, stored).items()} == {
        "won": "settled",
        "lost": "settled",
        "unknown symbol": "denied",
        "stale": "expired",
        "rejected": "rejected",
        "found again": "open",
        "halted": "denied",
        "open": "open",
        "submitted": "submitted",
        "received": "received",
    }
    found = result.document()
    assert found["sha256"]["as_at"] == found["sha256"]["folded"] == found["sha256"]["stored"]
    assert found["unsigned"] == 0
    assert Event.objects.values("chain").distinct().count() == Event.objects.values("kid").distinct().count() - 1 == 2


def _by_name(past: History, stored: dict[Any, str]) -> dict[str, Any]:
    ids = {str(event_id): event_id for event_id in stored}
    return {name: ids[event_id] for name, event_id in past.ids.items()}


def test_it_goes_page_by_page(past: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a page decides nothing: a chain goes on over its edges."""
    whole = log_check(Scope()).document()
    monkeypatch.setattr(history, "PAGE", 3)
    assert log_check(Scope()).document() == whole


class TestUntil:
    """ea 6.1: the log up to an instant comes to the same for ever, however much follows."""

    def test_every_instant_of_the_past(self, past: History) -> None:
        instants = sorted(Transition.objects.values_list("at_us", flat=True))
        for at_us in (instants[0] - 1_000, instants[len(instants) // 2], instants[-1]):
            result = log_check(Scope(until_ms=at_us // 1_000))
            assert result.examples == []
            known = Event.objects.filter(log_us__lt=(at_us // 1_000 + 1) * 1_000)
            assert result.events == known.count()

    def test_what_follows_changes_nothing(self, past: History) -> None:
        until_ms = db_now_ms()
        before = log_check(Scope(until_ms=until_ms))
        execute_due()
        after = log_check(Scope(until_ms=until_ms))
        assert after.document()["sha256"]["as_at"] == before.document()["sha256"]["as_at"]
        assert (before.moved_since, after.moved_since) == (0, 2)
        assert after.examples == []

    def test_one_installation(self, past: History) -> None:
        result = log_check(Scope(link_id=past.other.link.pk))
        assert (result.events, result.examples) == (3, [])
        assert log_check(Scope(link_id=0)).events == 0


@dataclass(frozen=True)
class Tampering:
    """What somebody with every right does to the tables, and which lines see it."""

    words: str
    sql: str
    seen: frozenset[str]
    walls: tuple[str, ...] = field(default=())


# The second letter of the strategy.
_AT = "position('breakout'::bytea IN raw)"
_FLIPPED = f"set_byte(raw, {_AT}, get_byte(raw, {_AT}) # 1)"


def _of(name: str) -> str:
    """Return the number of an event by its name in the history; the name is filled in when it is known."""
    return f"(SELECT id FROM ea_event WHERE event_id = '<{name}>')"


TAMPERINGS = (
    Tampering(
        "a byte of an event",
        f"UPDATE ea_event SET raw = {_FLIPPED} WHERE id = {_of('won')}",
        frozenset({folding.DIGEST, folding.SIGNED}),
        walls=("ea_event.ea_event_digests",),
    ),
    Tampering(
        "a byte of an event and its digest",
        f"UPDATE ea_event SET raw = {_FLIPPED}, sha256 = sha256({_FLIPPED}) WHERE id = {_of('won')}",
        frozenset({folding.CHAIN, folding.SIGNED}),
    ),
    Tampering(
        "a byte, its digest, and all of the chain behind it",
        f"UPDATE ea_event SET raw = {_FLIPPED}, sha256 = sha256({_FLIPPED}) WHERE id = {_of('received')}",
        frozenset({folding.SIGNED}),
    ),
    Tampering(
        "an event is dropped",
        f"DELETE FROM ea_event WHERE id = {_of('lost')}",
        frozenset({folding.CHAIN, folding.ROW, MADE_UP}),
    ),
    Tampering(
        "an event is dropped with all that came of it but its order",
        f"DELETE FROM ea_order WHERE event_id = {_of('lost')};"
        f"DELETE FROM ea_order_event WHERE order_id = {_of('lost')};"
        f"DELETE FROM ea_event WHERE id = {_of('lost')}",
        frozenset({folding.CHAIN, NUMBERS, MADE_UP}),
    ),
    Tampering(
        "two events change places",
        "UPDATE ea_event AS e SET chain_no = -1 - chain_no WHERE chain_no IN (2, 3) AND chain ="
        f" (SELECT chain FROM ea_event WHERE id = {_of('won')});"
        "UPDATE ea_event SET chain_no = CASE chain_no WHEN -3 THEN 3 ELSE 2 END WHERE chain_no < 0",
        frozenset({folding.CHAIN}),
        walls=("ea_event.ea_event_numbered",),
    ),
    Tampering(
        "the bytes of two events change places",
        "UPDATE ea_event AS e SET raw = other.raw, sha256 = other.sha256 FROM ea_event AS other"
        f" WHERE (e.id, other.id) IN (({_of('won')}, {_of('lost')}), ({_of('lost')}, {_of('won')}))",
        frozenset({folding.CHAIN, folding.COLUMNS}),
    ),
    Tampering(
        "the number of an event",
        f"UPDATE ea_event SET seq = 99 WHERE id = {_of('won')}",
        frozenset({folding.COLUMNS}),
    ),
    Tampering(
        "an event is given to another installation",
        f"UPDATE ea_event SET link_id = <other> WHERE id = {_of('received')}",
        frozenset({folding.SIGNED, folding.STATE, folding.ROW}),
    ),
    Tampering(
        "a row is lost",
        f"DELETE FROM ea_order WHERE event_id = {_of('received')}",
        frozenset({folding.ROW}),
    ),
    Tampering(
        "the state of an order",
        f"UPDATE ea_order SET state = 'cancelled' WHERE event_id = {_of('received')}",
        frozenset({folding.STATE}),
    ),
    Tampering(
        "the state of a step",
        f"UPDATE ea_order_event SET state = 'expired' WHERE state = 'denied' AND order_id = {_of('halted')}",
        frozenset({folding.STATE}),
    ),
    Tampering(
        "a result in the row",
        f"UPDATE ea_order SET code = 'won' WHERE event_id = {_of('lost')}",
        frozenset({folding.STATE}),
    ),
    Tampering(
        "a result in the step and the row",
        f"UPDATE ea_order SET code = 'won' WHERE event_id = {_of('lost')};"
        f"UPDATE ea_order_event SET code = 'won' WHERE state = 'settled' AND order_id = {_of('lost')}",
        frozenset({folding.TOLD, folding.RESULT}),
    ),
    Tampering(
        "a result in step, row and what was told",
        f"UPDATE ea_order SET code = 'won' WHERE event_id = {_of('lost')};"
        "UPDATE ea_order_event SET code = 'won', frame = replace(frame, '\"lost\"', '\"won\"')"
        f" WHERE state = 'settled' AND order_id = {_of('lost')}",
        frozenset({folding.RESULT}),
    ),
    Tampering(
        "a code of a refusal in step and row",
        f"UPDATE ea_order SET code = 'risk.reducing' WHERE event_id = {_of('halted')};"
        f"UPDATE ea_order_event SET code = 'risk.reducing' WHERE order_id = {_of('halted')}",
        frozenset({folding.TOLD}),
    ),
    Tampering(
        "the ticket in the row",
        f"UPDATE ea_order SET ticket = replace(ticket, '10.00', '1.00') WHERE event_id = {_of('won')}",
        frozenset({folding.STATE}),
    ),
    Tampering(
        "the ticket in step and row",
        f"UPDATE ea_order SET ticket = replace(ticket, '10.00', '1.00') WHERE event_id = {_of('won')};"
        "UPDATE ea_order_event SET given = jsonb_set(given, '{ticket}',"
        " to_jsonb(replace(given ->> 'ticket', '10.00', '1.00')))"
        f" WHERE given ? 'ticket' AND order_id = {_of('won')}",
        frozenset({folding.PLACED}),
    ),
    Tampering(
        "the symbol, the deadline and the strategy in the row",
        f"UPDATE ea_order SET symbol = 'GBPUSD', not_after_ms = 1, strategy = 'other' WHERE event_id = {_of('open')}",
        frozenset({folding.STATE}),
    ),
    Tampering(
        "the deadline in step and row, so that the order was late",
        f"UPDATE ea_order SET not_after_ms = 1 WHERE event_id = {_of('open')};"
        "UPDATE ea_order_event SET given = jsonb_set(given, '{not_after_ms}', '1')"
        f" WHERE given ? 'ticket' AND order_id = {_of('open')}",
        frozenset({folding.PLACED}),
    ),
    Tampering(
        "a step is added",
        "INSERT INTO ea_order_event (order_id, step, link_id, no, from_state, state, actor, at_us)"
        f" SELECT order_id, step + 1, link_id, no + 1000, 'denied', 'received', 'x', at_us FROM ea_order_event"
        f" WHERE order_id = {_of('halted')}",
        frozenset({folding.WAY, folding.STATE, NUMBERS}),
        walls=("ea_order_event.ea_order_event_way",),
    ),
    Tampering(
        "a step that the ways allow is added under the next number",
        "INSERT INTO ea_order_event (order_id, step, link_id, no, from_state, state, actor, at_us)"
        " SELECT o.event_id, 1, o.link_id, counter.no + 1, 'received', 'validated', 'x', 1"
        f" FROM ea_order AS o JOIN ea_counter AS counter USING (link_id) WHERE o.event_id = {_of('received')}",
        frozenset({folding.STATE, NUMBERS}),
    ),
    Tampering(
        "a step is taken out",
        f"DELETE FROM ea_order_event WHERE state = 'routed' AND order_id = {_of('open')}",
        frozenset({folding.WAY, folding.STATE, NUMBERS}),
    ),
    Tampering(
        "the last step of an installation is taken out, and its row set back",
        f"DELETE FROM ea_order_event WHERE state = 'open' AND order_id = {_of('open')};"
        "UPDATE ea_order SET state = 'accepted', step = 4, order_id = NULL WHERE event_id = " + _of("open"),
        frozenset({NUMBERS}),
        walls=("ea_order.ea_order_placed",),
    ),
    Tampering(
        "an order is moved to another one of its trader's",
        f"UPDATE ea_order SET order_id = gen_random_uuid() WHERE event_id = {_of('open')}",
        frozenset({folding.STATE}),
    ),
    Tampering(
        "the order in trading is gone",
        "DELETE FROM trading_order WHERE client_order_id = 'ea:<open>'",
        frozenset({folding.PLACED}),
    ),
    Tampering(
        "the order in trading has another stake",
        "UPDATE trading_order SET stake = stake - 1 WHERE client_order_id = 'ea:<open>'",
        frozenset({folding.PLACED}),
    ),
    Tampering(
        "an order in trading is made up",
        "UPDATE trading_order SET client_order_id = 'ea:01890a5d-ac96-774b-bcce-b302099a8057'"
        " WHERE client_order_id = 'ea:<submitted>'",
        frozenset({MADE_UP}),
    ),
    Tampering(
        "what was told of a price",
        'UPDATE ea_order_event SET frame = replace(frame, \'"price":"1.09000"\', \'"price":"1.08000"\')'
        f" WHERE state = 'open' AND order_id = {_of('open')}",
        frozenset({folding.TOLD}),
    ),
)


_GUARDED = ("ea_event", "ea_order", "ea_order_event", "ea_latency", "ea_key", "trading_order", "trading_order_open")
_GUARDS = """
SELECT tgrelid::regclass::text || '.' || tgname FROM pg_trigger
WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY(%(tables)s)
UNION ALL SELECT conrelid::regclass::text || '.' || conname FROM pg_constraint
WHERE contype = 'f' AND (conrelid::regclass::text = ANY(%(tables)s) OR confrelid::regclass::text = ANY(%(tables)s))"""


def unguarded(*statements: str, walls: tuple[str, ...] = ()) -> None:
    """Write with all guards of the tables off, as somebody can who owns them; each statement must change something."""
    guards = [name for (name,) in db.rows(_GUARDS, {"tables": list(_GUARDED)})]
    with walls_down(*guards, *walls), transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount > 0, statement


def tamper(past: History, tampering: Tampering) -> None:
    """Do it to what the history's names stand for."""
    sql = tampering.sql.replace("<other>", str(past.other.link.pk))
    for name, event_id in past.ids.items():
        sql = sql.replace(f"<{name}>", event_id)
    unguarded(*sql.split(";"), walls=tampering.walls)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.words)
def test_what_is_changed_afterwards_is_seen_by_its_own_line(past: History, tampering: Tampering) -> None:
    """ea 6.1: superuser or not, the fold, the chains, the signatures and the orders in trading disagree."""
    tamper(past, tampering)
    assert red() == tampering.seen
    code, printed = replayed("--check")
    assert code == 1
    for check in CHECKS:
        assert (f"{check}: 0" in printed) is (check not in tampering.seen)


def test_every_check_is_turned_red_by_some_tampering() -> None:
    assert frozenset[str]().union(*(one.seen for one in TAMPERINGS)) == frozenset(CHECKS)


class TestCommand:
    """The command prints one line a fact, and nothing can be written while it runs."""

    def test_lines_and_exit_code(self, past: History) -> None:
        code, printed = replayed("--check")
        assert code == 0
        assert "events: 10\n" in printed
        assert "orders settled: 2\n" in printed
        assert all(f"{check}: 0\n" in printed for check in CHECKS)

    def test_json(self, past: History) -> None:
        code, printed = replayed("--check", "--json", "--link", str(past.one.link.pk))
        found = json.loads(printed)
        assert (code, found["events"]) == (0, 7)
        assert set(found["checks"].values()) == {0}

    def test_until(self, past: History) -> None:
        code, printed = replayed("--check", "--until", rfc3339(0))
        assert (code, printed.splitlines()[0]) == (0, "events: 0")

    @pytest.mark.parametrize(
        "arguments",
        [(), ("--check", "--until", "yesterday"), ("--check", "--link", "x"), ("--check", "--what-if", "x")],
    )
    def test_wrong_arguments(self, arguments: tuple[str, ...]) -> None:
        with pytest.raises(CommandError):
            call_command("ea_replay", *arguments, stdout=StringIO(), stderr=StringIO())

    def test_an_empty_log_holds(self) -> None:
        assert replayed("--check")[0] == 0

    def test_a_lost_secret_leaves_signatures_unchecked_and_says_so(self, past: History) -> None:
        """Another ``SECRET_KEY`` must not make a sound log look forged."""
        unguarded("UPDATE ea_key SET secret = 'unreadable'")
        assert log_check(Scope()).unsigned == len(past.ids)
        assert red() == set()


def test_the_snapshot_refuses_every_write(past: History) -> None:
    """Executors are impossible by construction: the database itself takes nothing in this transaction."""
    with pytest.raises(Exception, match="read-only transaction"), history.snapshot():
        Counter.objects.update(no=0)


def test_steps_keep_what_the_row_was_given(past: History) -> None:
    """ea 6.1: the append-only row comes first, the row is made of it."""
    EventLog().append([arrived(past.one, 7)])
    execute_due()
    newest = EaOrder.objects.order_by("event").last()
    assert newest is not None
    given = {name: value for step in newest.transitions.order_by("step") for name, value in (step.given or {}).items()}
    assert given == {
        "symbol": newest.symbol,
        "strategy": newest.strategy,
        "ticket": newest.ticket,
        "wallet_id": str(newest.wallet_id),
        "client_order_id": newest.client_order_id,
        "not_after_ms": newest.not_after_ms,
        "order_id": str(newest.order_id),
    }
    assert db.row("SELECT 1 FROM ea_order_event WHERE state = 'submitted' AND given IS NULL") is None


def test_steps_from_before_are_given_what_their_rows_hold(past: History) -> None:
    """The migration fills what older steps could not keep, so that their orders can be made again as well."""
    forward = import_module("ea.migrations.0004_steps_carry_what_they_give").FORWARD
    unguarded("UPDATE ea_order_event SET given = NULL", walls=("ea_order_event.ea_order_event_submits",))
    assert folding.STATE in red()
    with connection.cursor() as cursor:
        cursor.execute(forward.partition("ALTER TABLE ea_order_event ADD CONSTRAINT")[0])
    assert red() == set()
