"""How each step is reached: by the load itself, by something done to the platform meanwhile, or by an act."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from django.db import connection, transaction

from accounts.models import User
from bench.faults.minutes import PastMinutes, sealed_and_told
from bench.faults.signals import signals
from bench.faults.world import World
from kernel import db
from kernel.clock import wall_ms
from kernel.errors import Problem
from kernel.failpoints import FAILPOINTS
from kernel.jobs import DAY_MS
from ledger.adjustments import Wish, adjustment_request
from ledger.domain import ReasonCode
from ledger.selectors import wallets_of
from quotes.domain import ADMISSION
from quotes.models import Incident, Symbol, SymbolRevision, TickArchive
from quotes.revisions import revision_request, revision_terms
from realtime.events import EventDraft
from realtime.services import event_counter_open, events_append
from settlement.archive import ArchiveDamagedError, whole_file

Check = Callable[[], list[str]]
TAKEOVER_MS = 6 * 3_600_000


@dataclass(frozen=True, slots=True)
class Drive:
    """A step of a runtime that serves; ``hits`` bounds the time at which it dies.

    :param provoke: what goes on until the runtime has recovered; it yields the check of what came of it
    """

    hits: tuple[int, int] = (1, 1)
    provoke: Callable[[World], AbstractContextManager[Check]] | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """A step of a short process: it dies there, and the same act is done again.

    :param prepare: makes the occasion and returns what the act is told, and the check of its effect
    :param meanwhile: what time does between the two
    :param quiet: only when no order is placed any more
    """

    name: str
    prepare: Callable[[World, int], tuple[dict[str, Any], Check]]
    meanwhile: Callable[[], None] | None = None
    quiet: bool = False


def _nothing_wrong() -> list[str]:
    return []


def _repeated(work: Callable[[], None], every_s: float) -> tuple[threading.Event, threading.Thread]:
    """Do something again and again on a thread until the event is set."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set():
            work()
            stopping.wait(every_s)
        connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return stopping, thread


# --- what is done to the platform ----------------------------------------------------------------------


@contextlib.contextmanager
def _silence(world: World) -> Iterator[Check]:
    """Stop the parser for longer than the grace, again and again: only the fence can close what expires."""

    def stop_a_while() -> None:
        world.platform.send("parser", signal.SIGSTOP)
        time.sleep(ADMISSION.grace_ms / 1000 + 4)
        world.platform.send("parser", signal.SIGCONT)
        time.sleep(2)

    stopping, thread = _repeated(stop_a_while, 0)
    try:
        yield _nothing_wrong
    finally:
        stopping.set()
        thread.join(30)


@contextlib.contextmanager
def _minutes(world: World) -> Iterator[Check]:
    """Let minutes end one after the other, so that there is always one to seal and a head to tell."""
    stopping, thread = _repeated(PastMinutes(), 0.4)
    try:
        yield lambda: sealed_and_told(world)
    finally:
        stopping.set()
        thread.join(30)


@contextlib.contextmanager
def _declarations(world: World) -> Iterator[Check]:
    """Let the source say that its markets are closed, and open again."""
    closed = False

    def say_the_other() -> None:
        nonlocal closed
        closed = not closed
        world.sources.run(world.upstream.declare(closed=closed))

    stopping, thread = _repeated(say_the_other, 0.3)
    try:
        yield _nothing_wrong
    finally:
        stopping.set()
        thread.join(30)
        world.sources.run(world.upstream.declare(closed=False))


@contextlib.contextmanager
def _revisions(world: World) -> Iterator[Check]:
    """Ask for one revision after the other on a symbol without orders."""

    def ask() -> None:
        with contextlib.suppress(Problem):
            _revision_asked(world, emergency=False)

    def all_in_force() -> list[str]:
        world.wait(lambda: not _waiting(), 20, "a revision still waits")
        return []

    stopping, thread = _repeated(ask, 0.2)
    try:
        yield all_in_force
    finally:
        stopping.set()
        thread.join(30)


def _waiting() -> bool:
    return Symbol.objects.filter(code="REVISED", pending_revision__isnull=False).exists()


def _revision_asked(world: World, *, emergency: bool) -> SymbolRevision:
    terms = revision_terms(Symbol.objects.get(code="REVISED"))
    other = replace(terms, price_scale=9 - terms.price_scale)
    return revision_request(
        code="REVISED", terms=other, reason="faults", by_id=world.staff[0], now_ms=wall_ms(), emergency=emergency
    )


def _insisting(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    """Send a request until it is answered by anything below 500."""
    until_s = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.TransportError):
            response = client.request(method, path, **options)
            if response.status_code < 500:
                return response
        if time.monotonic() > until_s:
            raise TimeoutError(f"{method} {path} was not answered")
        time.sleep(0.05)


@contextlib.contextmanager
def _refills(world: World) -> Iterator[Check]:
    """Let a client lose or win on the demo ledger and refill its wallet, each refill with a key of its own."""
    trader = world.traders[-1]
    headers = {"Authorization": f"Bearer {trader.token}"}
    wallet_id = next(row.id for row in wallets_of(UUID(trader.user_id)) if row.book == "demo")
    moved: list[str] = []
    before = _refills_posted(wallet_id)
    client = httpx.Client(base_url=f"{world.platform.url}/api/v1", headers=headers, timeout=5, trust_env=False)

    def refill() -> None:
        wallet = _wallet(client, wallet_id)
        if wallet["balance"] == "10000.00":
            order = {"ledger": "demo", "symbol": "EURUSD", "direction": "up", "stake": "50.00", "duration_s": 1}
            _insisting(client, "POST", "/orders", json=order | {"client_order_id": str(uuid4())})
        elif wallet["open_stakes"] == "0.00":
            key = str(uuid4())
            path = f"/wallets/{wallet_id}/refill"
            answered = _insisting(client, "POST", path, json={}, headers={"Idempotency-Key": key})
            if answered.status_code == 200:
                moved.append(key)

    def each_once() -> list[str]:
        posted = _refills_posted(wallet_id) - before
        return [] if posted == len(moved) else [f"{len(moved)} refills were answered and {posted} were made"]

    stopping, thread = _repeated(refill, 0.05)
    try:
        yield each_once
    finally:
        stopping.set()
        thread.join(70)
        client.close()


def _wallet(client: httpx.Client, wallet_id: UUID) -> dict[str, str]:
    wallets = _insisting(client, "GET", "/wallets").json()["data"]
    found: dict[str, str] = next(wallet for wallet in wallets if wallet["id"] == str(wallet_id))
    return found


def _refills_posted(wallet_id: UUID) -> int:
    sql = """SELECT count(*) FROM ledger_transfer
             WHERE family = 'demo.refill' AND %(id)s IN (debit_account_id, credit_account_id)"""
    return _number(sql, {"id": wallet_id})


@contextlib.contextmanager
def _sign_ups(world: World) -> Iterator[Check]:
    """Sign people up over HTTP, each until it is answered."""
    emails: list[str] = []

    def sign_up() -> None:
        email = f"{uuid4().hex}@example.com"
        with httpx.Client(base_url=world.platform.url, timeout=5, trust_env=False) as client:
            _insisting(client, "GET", "/_allauth/browser/v1/config")
            body = {"email": email, "password": "a-long-password-1", "country": "DE", "terms_accepted": True}
            headers = {"X-CSRFToken": client.cookies.get("csrftoken", "")}
            answered = _insisting(client, "POST", "/_allauth/browser/v1/auth/signup", json=body, headers=headers)
        # 401: the mailed code is asked for. 429 and the like make no user.
        if answered.status_code == 401:
            emails.append(email)

    def whole() -> list[str]:
        sql = """SELECT count(*) FROM unnest(%(emails)s::text[]) AS signed(email) WHERE NOT EXISTS (
                 SELECT FROM accounts_user u JOIN realtime_event_counter c ON c.user_id = u.id
                 WHERE u.email = signed.email AND 2 = (
                     SELECT count(*) FROM ledger_account a WHERE a.owner_id = u.id AND a.kind = 'wallet'))"""
        broken = _number(sql, {"emails": emails})
        return [f"{broken} users lack a wallet or a counter"] if broken else []

    stopping, thread = _repeated(sign_up, 0.5)
    try:
        yield whole
    finally:
        stopping.set()
        thread.join(70)


# --- acts ----------------------------------------------------------------------------------------------


def _job_freed(name: str) -> None:
    """Let a job's period be claimed again, as if the next one had come."""
    db.run("DELETE FROM kernel_job_run WHERE name = %(name)s", {"name": name})


def _job_done(name: str) -> list[str]:
    found = db.rows("SELECT outcome FROM kernel_job_run WHERE name = %(name)s", {"name": name})
    return [] if [row[0] for row in found] == ["done"] else [f"the runs of {name} are {found}"]


def _payouts(_: World, __: int) -> tuple[dict[str, Any], Check]:
    name = "settlement.payouts_recalculate"
    _job_freed(name)
    return {}, lambda: [problem for problem in _job_done(name) if "done" not in problem]


def _expiring(_: World, __: int) -> tuple[dict[str, Any], Check]:
    """Make an event that is older than events are kept, of a kind that no movement of money has to go with."""
    _job_freed("realtime.events_expire")
    # A user of its own, whose first event it is: cursors of the clients must not expire.
    user = User(email=f"expiring-{uuid4().hex}@example.com", created_at_ms=wall_ms())
    user_id = user.id
    with transaction.atomic():
        user.save()
        event_counter_open(user_id)
        draft = EventDraft(user_id, "demo", "limit.changed", b"{}", wall_ms() - 100 * DAY_MS)
        (seq,) = events_append([draft])

    def gone_once() -> list[str]:
        sql = """SELECT count(*) FROM realtime_event_counter c WHERE c.user_id = %(user)s AND c.floor = %(seq)s
                 AND NOT EXISTS (SELECT FROM realtime_event e WHERE e.user_id = c.user_id AND e.seq <= c.floor)"""
        held = _number(sql, {"user": user_id, "seq": seq})
        return _job_done("realtime.events_expire") + ([] if held else ["floor and events disagree"])

    return {}, gone_once


def _archiving(_: World, number: int) -> tuple[dict[str, Any], Check]:
    """Make a day of long ago with some ticks, to be archived and dropped."""
    _job_freed("settlement.ticks_archive")
    newest = TickArchive.objects.filter(dropped_at_ms__isnull=False).order_by("-day").first()
    first = datetime.fromtimestamp(wall_ms() / 1000, UTC).date() - timedelta(days=1_500)
    day = first if newest is None else newest.day + timedelta(days=1)
    start_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    db.rows("SELECT quotes_partition_ensure(%s)", [day])
    for seq in range(1, 4):
        sql = "INSERT INTO quotes_tick VALUES (%s, %s, %s, %s, 1.10, 1.1000, 110000, 1)"
        db.run(sql, [900_000 + number, seq, start_ms + seq, start_ms + seq])
    return {}, lambda: _archived_once(day)


def _archived_once(day: date) -> list[str]:
    problems = _job_done("settlement.ticks_archive")
    try:
        whole_file(day)
    except ArchiveDamagedError as error:
        problems.append(str(error))
    kept = _number("SELECT count(*) FROM quotes_tick WHERE at_ms < %(ms)s", {"ms": _midnight_ms(day) + DAY_MS})
    archive = TickArchive.objects.get(day=day)
    if kept or archive.rows != 3 or archive.dropped_at_ms is None:
        problems.append(f"the day's archive has {archive.rows} ticks and the log {kept}")
    return problems


def _midnight_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _taken_over() -> None:
    """Let the time pass after which a long job's claim is nobody's any more."""
    sql = "UPDATE kernel_job_run SET started_at_ms = started_at_ms - %(ms)s WHERE name = %(name)s AND outcome = ''"
    db.run(sql, {"ms": TAKEOVER_MS, "name": "settlement.ticks_archive"})


def _closing(_: World, number: int) -> tuple[dict[str, Any], Check]:
    """Close the days up to today, and one more each time."""
    _job_freed("ledger.checkpoint")
    now_ms = wall_ms() // DAY_MS * DAY_MS + (number + 1) * DAY_MS + 3_600_000

    def closed_once() -> list[str]:
        sql = "SELECT count(*) - count(DISTINCT (account_id, day)) FROM ledger_checkpoint"
        twice = _number(sql, {})
        return _job_done("ledger.checkpoint") + ([f"{twice} checkpoints are there twice"] if twice else [])

    return {"now_ms": now_ms}, closed_once


def _asking(world: World, number: int) -> tuple[dict[str, Any], Check]:
    """Let one operator ask for an adjustment that another one approves."""
    trader = world.traders[number % len(world.traders)]
    wallet_id = next(row.id for row in wallets_of(UUID(trader.user_id)) if row.book == "real")
    wish = Wish(wallet_id=wallet_id, amount=100 + number, reason_code=ReasonCode.CORRECTION, note="faults")
    asked = adjustment_request(wish=wish, requester_id=world.staff[0], now_ms=wall_ms())

    def moved_once() -> list[str]:
        sql = (
            "SELECT count(*) FROM ledger_transfer WHERE family = 'adjustment' AND reference = %(id)s AND amount = %(n)s"
        )
        moved = _number(sql, {"id": asked.id, "n": 100 + number})
        return [] if moved == 1 else [f"the adjustment moved its money {moved} times"]

    return {"request": str(asked.id), "by": str(world.staff[1]), "hash": bytes(asked.payload_hash).hex()}, moved_once


def _emergency(world: World, _: int) -> tuple[dict[str, Any], Check]:
    world.wait(lambda: not _waiting(), 20, "a revision still waits")
    asked = _revision_asked(world, emergency=True)

    def once() -> list[str]:
        told = Incident.objects.filter(revision=asked).count()
        in_force = SymbolRevision.objects.filter(pk=asked.pk, since_ms__isnull=False).count()
        return [] if (told, in_force) == (1, 1) else [f"{told} incidents, {in_force} revisions in force"]

    return {"code": "REVISED", "number": asked.number, "by": str(world.staff[1])}, once


def _number(sql: str, params: dict[str, Any]) -> int:
    found = db.row(sql, params)
    assert found is not None
    return int(found[0])


# --- which step is driven how ---------------------------------------------------------------------------

_ARCHIVE = Act("archive", _archiving, _taken_over)
# By the step's own name, or by the first word of it, and the runtime.
DRIVES: dict[tuple[str, str], Drive | Act] = {
    ("place", "web"): Drive((1, 12)),
    ("place", "ea_executor"): Drive((1, 5), signals),
    ("events", "web"): Drive((1, 12)),
    ("events", "ea_executor"): Drive((1, 5), signals),
    ("ea", "ea_gateway"): Drive((1, 5), signals),
    ("ea", "ea_executor"): Drive((1, 5), signals),
    ("events", "settlement"): Drive((1, 4)),
    ("events", "task"): Act("expire", _expiring),
    ("fence", "settlement"): Drive((1, 1), _silence),
    ("enter", "settlement"): Drive((1, 4)),
    ("settle", "settlement"): Drive((1, 6)),
    ("facts", "settlement"): Drive((1, 4)),
    ("seals", "settlement"): Drive((1, 1), _minutes),
    ("heads", "settlement"): Drive((1, 1), _minutes),
    ("feed", "parser"): Drive((1, 2)),
    ("ticks", "parser"): Drive((1, 20)),
    ("heartbeats", "parser"): Drive((1, 3)),
    ("declare", "parser"): Drive((1, 3), _declarations),
    ("revise", "settlement"): Drive((1, 2), _revisions),
    ("emergency", "operator"): Act("emergency", _emergency),
    ("idempotency", "web"): Drive((1, 1), _refills),
    ("ledger", "web"): Drive((1, 1), _refills),
    ("ledger", "operator"): Act("approve", _asking),
    ("adjustment", "operator"): Act("approve", _asking),
    ("wallets", "web"): Drive((1, 2), _sign_ups),
    ("job", "task"): Act("payouts", _payouts),
    ("job.steps_claimed", "task"): _ARCHIVE,
    ("job.steps_worked", "task"): _ARCHIVE,
    ("payouts", "task"): Act("payouts", _payouts),
    ("checkpoint", "task"): Act("checkpoint", _closing, quiet=True),
    ("archive", "task"): _ARCHIVE,
}


def steps() -> list[tuple[str, str]]:
    """Return every registered step with each runtime that goes through it: the rows of the matrix."""
    return [(name, runtime) for name, step in FAILPOINTS.items() for runtime in step.runtimes]


def drive_of(name: str, runtime: str) -> Drive | Act:
    """Return how a step is reached.

    :raises LookupError: nobody has said how: a new step needs its row
    """
    found = DRIVES.get((name, runtime)) or DRIVES.get((name.partition(".")[0], runtime))
    if found is None:
        raise LookupError(f"the kill matrix has no way to reach {name} in {runtime}")
    return found


def told_as_text(told: dict[str, Any]) -> str:
    """Return what an act is told as its argument."""
    return json.dumps(told)
