"""The checks that operators run, and the mutants that prove them: each check turns red on its own fault (section 0)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from kernel.clock import rfc3339
from kernel.facts import facts_apply
from ledger.services import demo_refill
from settlement.checks import CHECKS, Form, violations_count
from tests.books import quick_violations, violations
from tests.market import Market, Trader, db_now_ms, market_open, order_row, session_held, settle_due, trader_open
from trading.models import Order

pytestmark = pytest.mark.django_db


@dataclass
class Books:
    """Sound books: orders of every state, rule and refund at entry, on both ledgers, a refill, adjustments."""

    market: Market
    trader: Trader
    other: Trader


@pytest.fixture
def books() -> Books:
    market, trader, other = market_open(), trader_open(real="100.00"), trader_open(real="50.00")
    expires_ms = db_now_ms() + 2_500
    session_held(market, closes_ms=expires_ms + 3_600_000)
    for person in (trader, other):
        for ledger in ("demo", "real"):
            for direction in ("up", "down"):
                person.place(market, direction, ledger=ledger, duration_s=None, expires_at_ms=expires_ms)
    market.admitted("1.08600", at_ms=expires_ms - 1_000)
    market.admitted("1.08700", at_ms=expires_ms)
    market.admitted("1.08512", at_ms=expires_ms + 1)
    settle_due()
    # What is settled from here on waits for the statistics.
    facts_apply(100)
    tied = trader.place(market, duration_s=None, expires_at_ms=expires_ms + 1_000)
    refunded = trader.place(market, duration_s=None, expires_at_ms=expires_ms + 9_000)
    market.admitted("1.08512", at_ms=order_row(tied).expires_at_ms)
    market.admitted("1.08800", at_ms=order_row(refunded).expires_at_ms + 1)
    settle_due()
    demo_refill(user_id=trader.user.id, wallet_id=trader.wallets["demo"])
    other.place(market, "up", duration_s=60)
    trader.place(market, "down", ledger="real", duration_s=60)
    _waiting_orders(trader, other)
    return Books(market, trader, other)


def _waiting_orders(trader: Trader, other: Trader) -> None:
    """Add orders that enter by the next tick and close at a mean; one of each way in which they fail to enter."""
    market = market_open("WAITS", entry_rule="next_tick/1", settlement_rule="trimmed_mean_10s/1")
    won = trader.place(market, "up", duration_s=4)
    other.place(market, "up", expected_price="2.0", max_price_drift="0")
    market.admitted("1.08520")
    settle_due()
    late = trader.place(market, "up")
    # The mean of four is that of the middle two, 1.08525, while the last tick is 1.08533.
    market.admitted("1.08530", at_ms=order_row(late).accepted_at_ms + 3_001)
    market.admitted("1.08533", at_ms=order_row(won).expires_at_ms)
    market.admitted("1.08533", at_ms=market.newest_ms + 1)
    settle_due()
    other.place(market, "down")


def test_the_books_have_every_state(books: Books) -> None:
    """Control: sound books with orders of each state give zeros everywhere."""
    assert set(Order.objects.values_list("state", flat=True)) == {"open", "won", "lost", "tied", "refunded"}
    assert violations() == {}


@contextmanager
def _damaged(*statements: str) -> Iterator[None]:
    """Damage the books as only the owner of the tables could, guards switched off, and undo it all at the end."""
    guards = [
        ("ledger_transfer", "ledger_transfer_append_only"),
        ("ledger_transfer", "ledger_transfer_place"),
        ("ledger_adjustment", "ledger_adjustment_append_only"),
        ("trading_order", "trading_order_frozen"),
        ("quotes_tick", "quotes_tick_append_only"),
        ("quotes_watermark_raise", "quotes_watermark_raise_append_only"),
        ("quotes_trading_window", "quotes_window_frozen"),
        ("realtime_event", "realtime_event_guard"),
        ("realtime_event_counter", "realtime_event_counter_guard"),
    ]
    constraints = [
        ("ledger_transfer", "ledger_transfer_family_book"),
        ("ledger_transfer", "ledger_transfer_once"),
        ("ledger_transfer", "ledger_transfer_debit_no"),
        ("ledger_transfer", "ledger_transfer_credit_no"),
        ("trading_order", "trading_order_states"),
        ("trading_order", "trading_order_direction"),
        ("trading_order", "trading_order_entry"),
        ("trading_order", "trading_order_in_session"),
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, guard in guards:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
        for table, constraint in constraints:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}")
            cursor.execute(f"DROP INDEX IF EXISTS {constraint}")
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount != 0, f"nothing was damaged by {statement}"
        # The guards are on again while the checks look, so that only the damage is seen.
        for table, guard in guards:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {guard}")
        yield
        transaction.set_rollback(True)


WON = "(SELECT id FROM trading_order WHERE state = 'won' ORDER BY id LIMIT 1)"
DEMO_WALLET = "(SELECT {}(id::text)::uuid FROM ledger_account WHERE kind = 'wallet' AND book = 'demo')"
LOST = "(SELECT id FROM trading_order WHERE state = 'lost' ORDER BY id LIMIT 1)"
OPEN = "(SELECT id FROM trading_order WHERE state = 'open' ORDER BY id LIMIT 1)"
MIDDLE_TICK = "(SELECT seq FROM quotes_tick ORDER BY seq OFFSET 2 LIMIT 1)"
MEAN = "settlement_rule = 'trimmed_mean_10s/1'"
WAITED = "entry_rule = 'next_tick/1'"
WAITS = "(SELECT id FROM quotes_symbol WHERE code = 'WAITS')"
TOLD_WAITED = "payload->>'entry_rule' = 'next_tick/1'"
SECOND_CLOSE = (
    "INSERT INTO ledger_transfer (id, entry_id, family, kind, reference, debit_account_id, credit_account_id, amount,"
    " book, currency, at_ms) SELECT gen_random_uuid(), entry_id, family, '{kind}', reference, debit_account_id,"
    " credit_account_id, amount, book, currency, at_ms FROM ledger_transfer"
    " WHERE family = 'order.close' AND reference = {order}"
)
NEXT_TICK = (
    "INSERT INTO quotes_tick SELECT symbol_id, seq + 1, {at}, {at}, bid, ask, price + 100, revision"
    " FROM quotes_tick ORDER BY seq DESC LIMIT 1"
)
AGAIN = (
    'INSERT INTO kernel_fact_batch (subscriber, fact, "references", at_ms, attempts, retry_at_ms, failed_reason)'
    " SELECT subscriber, fact, \"references\", at_ms, 0, 0, '' FROM kernel_fact_batch"
)

# The check by the start of its name, and a fault that it must see.
MUTANTS: list[tuple[str, list[str]]] = [
    ("I-01 each order has exactly", ["DELETE FROM ledger_transfer WHERE family = 'order.profit'"]),
    ("I-01 each order has exactly", ["DELETE FROM ledger_transfer WHERE family = 'order.stake' AND kind = 'stake'"]),
    ("I-01 each order has exactly", ["UPDATE ledger_transfer SET kind = 'won' WHERE kind = 'lost'"]),
    ("I-01 each order has exactly", ["UPDATE ledger_transfer SET amount = amount + 1 WHERE family = 'order.profit'"]),
    (
        "I-01 each order has exactly",
        [f"UPDATE ledger_transfer SET reference = gen_random_uuid() WHERE reference = {LOST}"],
    ),
    (
        "I-01 each order's transfers touch",
        [
            (
                "UPDATE ledger_transfer SET credit_account_id = (SELECT id FROM ledger_account WHERE kind = 'wallet'"
                " AND id <> credit_account_id ORDER BY id LIMIT 1) WHERE family = 'order.profit'"
            )
        ],
    ),
    (
        "I-01 each order's transfers touch",
        [
            (
                "UPDATE ledger_transfer SET credit_account_id = debit_account_id, debit_account_id = credit_account_id"
                " WHERE family = 'order.stake'"
            )
        ],
    ),
    ("I-02", ["UPDATE ledger_account SET balance = balance + 1 WHERE kind = 'wallet' AND book = 'demo'"]),
    ("I-02", ["DELETE FROM ledger_transfer WHERE family = 'adjustment'"]),
    ("I-03", ["UPDATE ledger_transfer SET debit_after = debit_after + 1 WHERE family = 'order.stake'"]),
    ("I-03", [f"DELETE FROM ledger_transfer WHERE family = 'order.close' AND reference = {WON}"]),
    ("I-03", ["UPDATE ledger_transfer SET credit_no = credit_no + 1 WHERE family = 'demo.refill' OR kind = 'grant'"]),
    ("I-04", ["ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_guarded"]),
    # Money moved between two wallets without a transfer: every sum over the book still holds.
    (
        "I-05",
        [
            f"UPDATE ledger_account SET balance = balance + 1 WHERE id = {DEMO_WALLET.format('min')}",
            f"UPDATE ledger_account SET balance = balance - 1 WHERE id = {DEMO_WALLET.format('max')}",
        ],
    ),
    ("I-05", ["UPDATE ledger_account SET entry_no = entry_no + 1 WHERE kind = 'wallet' AND book = 'real'"]),
    ("I-06", ["UPDATE ledger_transfer SET book = 'real' WHERE book = 'demo' AND family = 'order.stake'"]),
    ("I-06", ["UPDATE ledger_transfer SET currency = 'EUR' WHERE family = 'order.close'"]),
    ("I-07 transfers", ["ALTER TABLE ledger_transfer DISABLE TRIGGER ledger_transfer_no_truncate"]),
    ("I-07 transfers", ["DROP TRIGGER ledger_transfer_no_truncate ON ledger_transfer"]),
    ("I-07 transfers", ["ALTER TABLE ledger_checkpoint DISABLE TRIGGER ledger_checkpoint_append_only"]),
    (
        "I-07 checkpoints",
        [
            (
                "INSERT INTO ledger_checkpoint (account_id, day, entry_no, balance, hash, previous_hash, made_at_ms)"
                " SELECT id, '2020-01-01', entry_no, balance, sha256('x'), sha256(''), 1 FROM ledger_account"
                " WHERE kind = 'wallet' AND entry_no > 0"
            )
        ],
    ),
    ("I-08", ["UPDATE ledger_transfer SET family = 'deposit.credit' WHERE family = 'demo.grant'"]),
    ("I-08", ["UPDATE ledger_transfer SET family = 'demo.grant' WHERE family = 'adjustment'"]),
    ("I-32", ["DELETE FROM ledger_adjustment"]),
    ("I-32", ["UPDATE ledger_adjustment SET amount = amount + 1"]),
    ("I-32", ["UPDATE ledger_transfer SET amount = amount + 1 WHERE family = 'adjustment'"]),
    ("I-10", ["UPDATE trading_order SET payout = payout + 1 WHERE state = 'won'"]),
    ("I-10", ["UPDATE trading_order SET payout_percent = payout_percent + 1 WHERE state = 'won'"]),
    ("I-11 each", [f"DELETE FROM trading_order_open WHERE order_id = {OPEN}"]),
    (
        "I-11 each",
        [
            (
                "INSERT INTO trading_order_open (order_id, symbol_id, wallet_id, expires_at_ms, stake, up, exposed)"
                " SELECT id, symbol_id, wallet_id, 9000000000000, stake, true, false FROM trading_order"
                f" WHERE id = {WON}"
            )
        ],
    ),
    ("I-11 each", [SECOND_CLOSE.format(kind="lost", order=WON)]),
    ("I-11 what is due", ["UPDATE trading_order_open SET stake = stake - 1 WHERE exposed"]),
    ("I-11 what is due", ["UPDATE trading_order_open SET up = NOT up"]),
    ("I-11 what is due", ["UPDATE trading_order_open SET exposed = NOT exposed"]),
    ("I-11 what is due", ["UPDATE trading_order_open SET expires_at_ms = expires_at_ms + 1"]),
    ("I-11 what is due", ["UPDATE trading_order_open SET entry_after_seq = NULL WHERE entry_after_seq IS NOT NULL"]),
    ("I-11 what is due", ["UPDATE trading_order_open SET entry_after_seq = 1 WHERE entry_after_seq IS NULL"]),
    ("I-11 what is due", ["UPDATE trading_order_open SET entry_until_ms = entry_until_ms + 1"]),
    ("I-13", ["UPDATE trading_order SET close_seq = close_seq - 1 WHERE state = 'won'"]),
    ("I-13", ["UPDATE trading_order SET close_seq = NULL, close_at_ms = NULL WHERE state = 'refunded'"]),
    (
        "I-13",
        ["UPDATE trading_order SET close_at_ms = expires_at_ms + 1, close_seq = 99 WHERE state = 'won'"],
    ),
    ("I-13", ["UPDATE trading_order SET max_tick_age_ms = 1, close_at_ms = close_at_ms - 2 WHERE state = 'lost'"]),
    # Under a mean without evidence, a tick inside the window is evidence all the same.
    (
        "I-13",
        [f"UPDATE trading_order SET close_seq = NULL, close_at_ms = NULL WHERE state = 'won' AND {MEAN}"],
    ),
    ("I-13", [f"UPDATE trading_order SET close_seq = close_seq - 1 WHERE state = 'won' AND {MEAN}"]),
    ("I-16 ticks", [f"DELETE FROM quotes_tick WHERE seq = {MIDDLE_TICK}"]),
    ("I-16 ticks", [f"UPDATE quotes_tick SET at_ms = at_ms - 60000 WHERE seq = {MIDDLE_TICK}"]),
    ("I-16 ticks", [NEXT_TICK.format(at="at_ms - 5")]),
    (
        "I-16 ticks",
        [
            (
                "INSERT INTO quotes_watermark_raise SELECT symbol_id, at_ms, 3, seq - 1, received_at_ms"
                f" FROM quotes_tick WHERE seq = {MIDDLE_TICK}"
            )
        ],
    ),
    ("I-16 no order", ["DELETE FROM quotes_watermark_raise"]),
    ("I-16 no order", ["UPDATE trading_order SET settled_at_ms = accepted_at_ms WHERE state = 'tied'"]),
    ("I-16 no order", ["UPDATE trading_order SET settled_at_ms = accepted_at_ms WHERE reason = 'no_entry_tick'"]),
    ("I-17", ["UPDATE trading_order SET open_at_ms = accepted_at_ms - max_tick_age_ms - 1 WHERE open_seq = 1"]),
    ("I-17", [f"UPDATE trading_order SET open_seq = open_seq + 1 WHERE open_seq IS NOT NULL AND {WAITED}"]),
    ("I-17", [f"UPDATE trading_order SET open_at_ms = entry_until_ms + 1 WHERE open_seq IS NOT NULL AND {WAITED}"]),
    ("I-21", ["UPDATE trading_order SET session_closes_ms = expires_at_ms - 1 WHERE session_closes_ms > 0"]),
    ("I-21", ["UPDATE trading_order SET session_closes_ms = session_closes_ms + 1"]),
    ("I-21", ["UPDATE quotes_trading_window SET opens_ms = closes_ms - 1"]),
    ("I-21", ["UPDATE quotes_trading_window SET made_at_ms = closes_ms"]),
    ("I-21", ["UPDATE quotes_trading_window SET superseded_at_ms = 2"]),
    ("I-21", ["DELETE FROM quotes_trading_window"]),
    ("I-19", ["UPDATE trading_order_open SET expires_at_ms = expires_at_ms - 3600000"]),
    ("I-29", ["DELETE FROM realtime_event WHERE type = 'order.settled'"]),
    ("I-29", ["UPDATE realtime_event SET type = 'order.lost' WHERE type = 'order.opened'"]),
    ("I-29", [f"UPDATE realtime_event SET type = 'order.lost' WHERE type = 'order.opened' AND {TOLD_WAITED}"]),
    ("I-29", ["UPDATE realtime_event SET type = 'order.lost' WHERE type = 'order.accepted'"]),
    ("I-30", ["UPDATE realtime_event_counter SET seq = seq + 1"]),
    ("I-30", ["DELETE FROM realtime_event WHERE seq = 2"]),
    ("I-35 each settled", ["DELETE FROM kernel_fact_batch"]),
    ("I-35 what waits", [AGAIN]),
    ("I-35 each settled", ["DELETE FROM settlement_daily_symbol WHERE book_kind = 'demo'"]),
    ("I-35 each settled", ["DELETE FROM settlement_daily_user WHERE book_kind = 'real'"]),
    # D-56: a tie counted as a win; a loss counted twice; a stake that is not there.
    ("I-35 each settled", ["UPDATE settlement_daily_symbol SET won = won - 1, tied = tied + 1"]),
    ("I-35 each settled", ["UPDATE settlement_daily_user SET lost = lost + 1"]),
    ("I-35 each settled", ["UPDATE settlement_daily_symbol SET stakes = stakes - 1"]),
    ("I-35 the payout", ["DELETE FROM settlement_window_order WHERE won"]),
    ("I-35 the payout", ["UPDATE settlement_window_order SET won = NOT won"]),
    ("I-35 the payout", ["UPDATE settlement_window_order SET order_id = gen_random_uuid()"]),
    ("I-35 the payout", ["UPDATE settlement_window_order SET user_id = gen_random_uuid()"]),
]


def test_each_check_turns_red_on_its_fault(books: Books) -> None:
    """Reliability 0: a check that no fault turns red proves nothing; here, each does."""
    unseen = []
    for number, (check, damage) in enumerate(MUTANTS):
        own = frozenset(name for name in CHECKS if name.startswith(check))
        with _damaged(*damage):
            # Only the full form looks behind the checkpoints, and only it has a check of them.
            for form in (Form.FULL, Form.QUICK):
                asked = violations_count(form, without=CHECKS.keys() - own)
                if asked and not any(asked.values()):
                    unseen.append((number, check, damage))
    assert unseen == []
    assert (violations(), quick_violations()) == ({}, {})


def test_money_between_wallets_leaves_every_sum_green(books: Books) -> None:
    """Reliability 0: the sums over a book stay green here; only the balance against its entries goes red."""
    damage = next(statements for check, statements in MUTANTS if check == "I-05")
    with _damaged(*damage):
        red = {name[:4] for name in violations()}
    assert "I-05" in red
    assert not red & {"I-01", "I-02", "I-03"}


# --- the commands ----------------------------------------------------------------------------------


def _run(*arguments: str) -> tuple[int, str]:
    """Run a command and return its exit code and what it printed."""
    out = StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_verify_ledger_prints_a_line_for_each_invariant(books: Books) -> None:
    """Contract: one line each with its count of violations; exit 1 if any."""
    code, text = _run("verify_ledger", "--full")
    lines = text.splitlines()
    assert code == 0
    assert len(lines) == len(CHECKS)
    assert all(line.endswith(": 0") for line in lines)
    quick = _run("verify_ledger")[1].splitlines()
    assert set(lines) - set(quick) == {"I-07 checkpoints recompute from the transfers: 0"}
    assert set(quick) < set(lines)
    with _damaged("UPDATE ledger_account SET balance = balance + 1 WHERE kind = 'wallet'"):
        code, text = _run("verify_ledger")
    assert code == 1
    assert any(line.startswith("I-02") and not line.endswith(": 0") for line in text.splitlines())


def test_resettle_finds_nothing_in_sound_books(books: Books) -> None:
    """Contract: ``checked N, differences M, unavailable K``; I-12: every outcome is recomputed identically."""
    settled = Order.objects.exclude(state="open").count()
    assert _run("resettle", "--check") == (0, f"checked {settled}, differences 0, unavailable 0\n")


RESETTLE: list[tuple[str, str, bool]] = [
    ("a changed price", "UPDATE quotes_tick SET price = price - 500", True),
    ("a changed evidence price", "UPDATE quotes_tick SET price = 1 WHERE seq = 3", True),
    ("a lost evidence tick", "DELETE FROM quotes_tick WHERE seq = 3", True),
    (
        "a tick that came later",
        (
            "INSERT INTO quotes_tick SELECT symbol_id, seq + 90, at_ms, at_ms, bid, ask, 1, revision FROM quotes_tick"
            " WHERE seq = 3"
        ),
        True,
    ),
    ("a swapped result", "UPDATE trading_order SET state = 'won', payout = 1850 WHERE state = 'lost'", True),
    ("a changed payout", "UPDATE trading_order SET payout = payout + 1 WHERE state = 'won'", True),
    ("an edited opening price", "UPDATE trading_order SET open_price = open_price - 1 WHERE state = 'lost'", True),
    ("another evidence", "UPDATE trading_order SET close_seq = 2 WHERE state = 'won'", True),
    ("another reason", "UPDATE trading_order SET reason = 'no_tick' WHERE state = 'refunded'", True),
    ("a lost opening tick", "DELETE FROM quotes_tick WHERE seq = 1", False),
    ("a lost entry tick", f"DELETE FROM quotes_tick WHERE seq = 2 AND symbol_id = {WAITS}", False),
    (
        "a changed entry",
        f"UPDATE trading_order SET open_price = open_price + 1 WHERE open_seq IS NOT NULL AND {WAITED}",
        True,
    ),
    (
        "another entry tick",
        f"UPDATE trading_order SET open_seq = open_seq + 1 WHERE open_seq IS NOT NULL AND {WAITED}",
        True,
    ),
    (
        "an entry kept from its order",
        (
            "UPDATE trading_order SET open_seq = NULL, open_at_ms = NULL, open_price = NULL, entered_at_ms = NULL,"
            " reason = 'no_entry_tick' WHERE reason = 'price_moved'"
        ),
        True,
    ),
    ("a price guard dropped", "UPDATE trading_order SET max_price_drift = '9' WHERE reason = 'price_moved'", True),
    (
        "a mean one step up",
        f"UPDATE trading_order SET close_price = close_price + 1 WHERE state = 'won' AND {MEAN}",
        True,
    ),
    (
        "a mean one step down",
        f"UPDATE trading_order SET close_price = close_price - 1 WHERE state = 'won' AND {MEAN}",
        True,
    ),
    ("a changed price in the window", f"UPDATE quotes_tick SET price = 1 WHERE seq = 3 AND symbol_id = {WAITS}", True),
    ("a lost tick in the window", f"DELETE FROM quotes_tick WHERE seq = 3 AND symbol_id = {WAITS}", True),
    ("another reason at expiry", "UPDATE trading_order SET reason = 'feed_closed' WHERE reason = 'stale_tick'", True),
    ("another reason at entry", "UPDATE trading_order SET reason = 'revision' WHERE reason = 'no_entry_tick'", True),
    (
        "an invented word of the feed",
        (
            "INSERT INTO quotes_feed_declaration (symbol_id, at_ms, received_at_ms, closed, reason)"
            " SELECT symbol_id, expires_at_ms, expires_at_ms, true, '' FROM trading_order WHERE state = 'won' LIMIT 1"
        ),
        True,
    ),
    (
        "an invented emergency",
        (
            "INSERT INTO quotes_symbol_revision (symbol_id, number, feed, source, endpoint, price_scale, price_source,"
            " since_ms, emergency, reason, requested_by_id, approved_by_id)"
            " SELECT symbol_id, revision + 1, 'script', 'X', '', 5, 'mid', expires_at_ms, true, 'x',"
            " gen_random_uuid(), gen_random_uuid() FROM trading_order WHERE state = 'won' LIMIT 1"
        ),
        True,
    ),
]


def test_resettle_finds_a_manipulated_log_or_result(books: Books) -> None:
    """I-12, contract: differences and unavailable ticks are counted and end with exit code 1."""
    unseen = []
    for name, damage, differs in RESETTLE:
        with _damaged(damage):
            code, text = _run("resettle", "--check")
        counts = dict(part.split(" ") for part in text.strip().split(", "))
        if code != 1 or int(counts["differences" if differs else "unavailable"]) == 0:
            unseen.append((name, code, text))
    assert unseen == []
    assert _run("resettle", "--check")[0] == 0


def test_resettle_looks_at_the_asked_time_only(books: Books) -> None:
    """Contract: ``--from`` inclusive, ``--to`` exclusive, by the time of settlement."""
    settled = sorted(order.settled_at_ms or 0 for order in Order.objects.exclude(state="open"))
    first, newest = rfc3339(settled[0]), rfc3339(settled[-1])

    def checked(*arguments: str) -> int:
        return int(_run("resettle", "--check", *arguments)[1].split(",")[0].removeprefix("checked "))

    assert checked("--from", first) == len(settled)
    assert checked("--to", first) == 0
    assert checked("--from", first, "--to", newest) == sum(instant < settled[-1] for instant in settled)
    with pytest.raises(CommandError):
        call_command("resettle", "--check", "--from", "yesterday")


def test_resettle_writes_nothing(books: Books) -> None:
    """Rules 3: it recomputes and compares; it never changes an order."""
    before: list[Any] = list(Order.objects.order_by("id").values_list())
    with _damaged("UPDATE quotes_tick SET price = price - 500"):
        _run("resettle", "--check")
        assert list(Order.objects.order_by("id").values_list()) == before
