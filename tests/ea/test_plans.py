"""Plans of what owners' pages ask each second: bounded by an index, whatever others have (ea 6.6; style)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from ea import attribution, signals, statements
from kernel import db
from tests.books import tables_empty
from tests.ea.bridge import installation
from tests.plans.plans import Plan, plan_of

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("ea-plans")]

EVENTS, LINKS = 15_000, 100
LARGE = {"ea_event", "ea_order", "ea_latency", "ea_order_event", "ea_instruction", "ea_repeat"}
_FILL = (
    """
INSERT INTO ea_link (id, user_id, account, server, ledger, prefix, suffix, made_at_ms)
SELECT %(first)d + n, user_id, 'a' || n, server, 'demo', '', '', 1
FROM ea_link, generate_series(1, %(links)d) AS n WHERE id = %(first)d""",
    """
INSERT INTO ea_event (id, event_id, link_id, kid, sid, seq, source, src_ticket, action, raw, sha256, chain, chain_no,
    prev_sha256, offset_ms, rtt_us, recv_us, log_us)
SELECT n, gen_random_uuid(), %(first)d + n %% %(links)d, 'k' || n %% %(links)d, 's', n, 'mt5', NULL, 'open',
    '{}'::bytea, sha256('{}'::bytea), '01890a5d-ac96-774b-bcce-b302099a8057', n, sha256('{}'::bytea), 0, 0,
    n * 1000000::bigint, n * 1000000::bigint
FROM generate_series(1, %(events)d) AS n""",
    """
INSERT INTO ea_order (event_id, link_id, state, step, strategy)
SELECT n, %(first)d + n %% %(links)d, 'received', 0, '' FROM generate_series(1, %(events)d) AS n""",
    """
INSERT INTO ea_order_event (order_id, step, link_id, no, from_state, state, actor, code, at_us, frame)
SELECT n, 1, %(first)d + n %% %(links)d, n, 'received', 'denied', 'executor', 'signal.stale', n * 1000000::bigint, '{}'
FROM generate_series(1, %(events)d) AS n""",
    "UPDATE ea_order SET state = 'denied', step = 1, code = 'signal.stale', strategy = 's' || event_id %% 5",
    """
INSERT INTO ea_latency (event_id, deal_ms, signed_ms, offset_ms, rtt_us, recv_us, log_us, decided_us, link_id, strategy,
    symbol)
SELECT n, 1, 1, 0, 0, 1, n * 1000000::bigint, 1, %(first)d + n %% %(links)d, 's' || n %% 5, 'EURUSD'
FROM generate_series(1, %(events)d) AS n""",
    """
INSERT INTO ea_instruction (link_id, no, kind, strategy, rev, values, cmd, frame, actor_id, at_ms)
SELECT %(first)d + n %% %(links)d, %(events)d + n, CASE WHEN n %% 2 = 0 THEN 'params' ELSE 'command' END, '',
    CASE WHEN n %% 2 = 0 THEN n END, CASE WHEN n %% 2 = 0 THEN '{}' END, CASE WHEN n %% 2 = 1 THEN 'pause' END, '{}',
    gen_random_uuid(), n
FROM generate_series(1, %(events)d / 10) AS n""",
    "INSERT INTO ea_repeat (event_id, times, at_us) SELECT n * 3, 1, 1 FROM generate_series(1, %(events)d / 10) AS n",
)


@pytest.fixture(scope="module")
def link_id(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    """One of many installations with many events."""
    with django_db_blocker.unblock():
        first = installation().link.pk
        with connection.cursor() as cursor:
            for statement in _FILL:
                # The values stand in the text: the server would have to guess their types.
                cursor.execute(statement % {"first": first, "links": LINKS, "events": EVENTS})
            cursor.execute(f"VACUUM ANALYZE {', '.join(sorted(LARGE))}")
        yield first + 1
        tables_empty()


def attribution_asked(link_id: int) -> tuple[str, dict[str, Any]]:
    """Return the statement of a page with what it is asked with: the last tenth of the events."""
    asked = {"links": f"{{{link_id}}}", "since_us": EVENTS * 900_000, "until_us": EVENTS * 1_000_000, "most": 50_000}
    return attribution.statement(("strategy", "symbol")), asked


def rows_read(plan: Plan, table: str) -> int:
    """Return how many rows of a table a plan looked at that was run."""
    return int(
        sum(
            (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
            for node in plan.nodes()
            if node.get("Relation Name") == table
        )
    )


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
def test_attribution_reads_the_window_of_an_installation(link_id: int, generic: bool) -> None:
    """Neither the events of others nor those before the window are looked at."""
    plan = plan_of(*attribution_asked(link_id), run=True, generic=generic)
    assert "ea_latency_by_link" in plan.indexes, plan.drawn()
    assert not plan.read_whole & LARGE, plan.drawn()
    assert rows_read(plan, "ea_latency") <= EVENTS // LINKS // 10 + 1, plan.drawn()


def test_attribution_without_its_index_is_seen(link_id: int) -> None:
    """The check above turns red with the index gone."""
    db.run("DROP INDEX ea_latency_by_link")
    plan = plan_of(*attribution_asked(link_id), run=True)
    assert rows_read(plan, "ea_latency") > EVENTS // 2


def test_attribution_of_all_reads_the_newest(link_id: int) -> None:
    """An operator's page reads so many of the newest, however many there are."""
    _, asked = attribution_asked(link_id)
    plan = plan_of(attribution.statement(("strategy", "symbol"), of_all=True), asked | {"most": 500}, run=True)
    assert "ea_latency_pkey" in plan.indexes, plan.drawn()
    assert rows_read(plan, "ea_latency") <= 500


def test_a_page_of_signals_reads_so_many(link_id: int) -> None:
    asked = {
        "links": f"{{{link_id}, {link_id + 1}}}",
        "before": None,
        "state": None,
        "strategy": None,
        "symbol": None,
        "limit": 51,
    }
    plan = plan_of(signals._LIST, asked, run=True)
    assert "ea_order_by_link" in plan.indexes, plan.drawn()
    assert not plan.read_whole & LARGE, plan.drawn()
    assert rows_read(plan, "ea_order") <= 2 * 51
    assert rows_read(plan, "ea_event") <= 2 * 51
    # A plan that knows no limit may sort, but only what these installations have.
    blind = plan_of(signals._LIST, asked, run=True, generic=True)
    assert rows_read(blind, "ea_order") <= 2 * EVENTS // LINKS, blind.drawn()


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
def test_what_a_client_is_told_is_found_by_its_numbers(link_id: int, generic: bool) -> None:
    """Asked by every gateway for each decision: transitions and instructions after a number."""
    asked = {"link_id": link_id, "after": EVENTS - 300, "limit": 200, "command_ms": 60_000}
    plan = plan_of(statements.FRAMES, asked, generic=generic)
    assert {"ea_order_event_no", "ea_instruction_no"} <= plan.indexes, plan.drawn()
    assert not plan.read_whole & LARGE, plan.drawn()


def test_the_counts_of_a_day_are_those_of_the_installation(link_id: int) -> None:
    asked = {"links": f"{{{link_id}}}", "since_us": EVENTS * 900_000, "most": 50_000}
    plan = plan_of(statements.COUNTS, asked, run=True)
    assert "ea_latency_by_link" in plan.indexes, plan.drawn()
    assert not plan.read_whole & LARGE, plan.drawn()
