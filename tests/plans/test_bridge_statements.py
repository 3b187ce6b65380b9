"""Plans of the bridge's hot statements: what a signal costs must not grow with the log behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from pytest_django.plugin import DjangoDbBlocker

from ea import keys, statements
from ea.log import EventLog
from ea.news import frames_after, frames_after_each, links_with_news, newest_numbers, no_to_go_on
from ea.results import results_apply
from kernel import db
from tests.books import tables_empty
from tests.ea.bridge import execute_due, installation
from tests.ea.events import arrived
from tests.market import market_open
from tests.plans.filled import Recorder, copies, recorded
from tests.plans.plans import LARGE, Hot, index_drop, plan_of
from trading.models import Order

# One worker fills the database once.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("plans")]

INSTALLATIONS, EVENTS, COPIES = 20, 5, 100

EVENT, ORDER, STEP = ("ea_event_pkey",), ("ea_order_pkey",), ("ea_order_event_no",)
COUNTER = ("ea_counter_pkey",)
# A text's primary key has a second index beside it, for its beginnings: either will do.
KEY = ("ea_key_pkey", "ea_key_kid_0b579690_like")
# There are few of these here: reading them whole beside ten keys is no worse.
FEW = {"ea_link", "accounts_user"}
HOT = [
    Hot("log", statements.LOG, ()),
    Hot(
        "stored",
        statements.STORED,
        (EVENT, ("ea_event_event_id_key",), ("ea_event_ticket",), ("ea_event_seq",), ORDER),
    ),
    Hot("due", statements.DUE, (("ea_order_due",), EVENT), generic=False),
    Hot("terms", statements.TERMS, (KEY,), LARGE - FEW, generic=False),
    Hot("move", statements.MOVE, (ORDER, COUNTER)),
    Hot("settled lock", statements.SETTLED_LOCK, (("trading_order_pkey",), ("ea_order_client_id",), EVENT)),
    Hot("frames", statements.FRAMES, (STEP,)),
    Hot("frames of many", statements.FRAMES_EACH, (STEP,)),
    Hot("who has news", statements.NEWS, (COUNTER,)),
    Hot("newest numbers", statements.NEWEST_NO, (COUNTER,)),
    Hot("where to go on", statements.NO_AGO, (STEP, COUNTER)),
    Hot("keys", keys._READ, (KEY,), LARGE - FEW),
    Hot("keys beside", keys._SIBLINGS, (KEY, ("ea_key_link_id_76e3b8f4",))),
    Hot("keys ended", keys._ENDED, (KEY,)),
    Hot("newest of a sequence", keys._LAST_SEQ, (("ea_event_seq",),)),
]


@pytest.fixture(scope="module")
def bridge(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Recorder]:
    """What the bridge executed last, on a log of some size."""
    with django_db_blocker.unblock():
        try:
            yield _filled()
        finally:
            tables_empty()


def _filled() -> Recorder:
    # However slow the machine is, nothing is stale.
    market_open(max_tick_age_ms=600_000)
    long: dict[str, Any] = {"valid_ms": 60_000}
    ones = [installation() for _ in range(INSTALLATIONS)]
    for seq in range(1, EVENTS + 1):
        EventLog().append([arrived(one, seq, src_ticket=str(seq), **long) for one in ones])
    execute_due()
    _copied()
    with recorded() as recorder:
        events = [arrived(one, EVENTS + 1, src_ticket="new", **long) for one in ones]
        log = EventLog()
        log.append(events)
        log.append(events)
        execute_due()
        # None of them is settled; which are is asked of all that the fact names.
        with transaction.atomic():
            results_apply(list(Order.objects.values_list("id", flat=True)[:INSTALLATIONS]))
        link_id, kid = ones[0].link.pk, ones[0].key.kid
        frames_after(link_id=link_id, after=1)
        frames_after_each({one.link.pk: 1 for one in ones})
        links_with_news({one.link.pk: 1 for one in ones})
        newest_numbers([one.link.pk for one in ones])
        no_to_go_on(link_id=link_id, after=None)
        keys.keys_beside(kid)
        keys.keys_ended([one.key.kid for one in ones])
        keys.last_seq(link_id=link_id, sid="s1")
    return recorder


def _copied() -> None:
    """Copy installations with their keys, and the log with what became of it."""
    by = "n * 100000"
    copies("ea_link", COPIES, id=f"o.id + {by}", account="o.account || n")
    copies("ea_key", COPIES, kid="o.kid || '-' || n", link_id=f"o.link_id + {by}")
    copies("ea_counter", COPIES, link_id=f"o.link_id + {by}")
    copies(
        "ea_event",
        COPIES,
        id=f"o.id + {by}",
        event_id="gen_random_uuid()",
        seq=f"o.seq + {by}",
        src_ticket="o.src_ticket || '-' || n",
        chain_no=f"o.chain_no + {by}",
    )
    with transaction.atomic():
        # A copy does not start as received.
        db.run("ALTER TABLE ea_order DISABLE TRIGGER ea_order_starts")
        changed = {"event_id": f"o.event_id + {by}", "client_order_id": "o.client_order_id || n"}
        copies("ea_order", COPIES, order_id="gen_random_uuid()", **changed)
        db.run("SET CONSTRAINTS ALL IMMEDIATE")
        db.run("ALTER TABLE ea_order ENABLE TRIGGER ea_order_starts")
    order = {"id": "md5(o.id::text || n)::uuid", "client_order_id": "o.client_order_id || '-' || n"}
    copies("trading_order", COPIES, **order)
    moved = {"order_id": f"o.order_id + {by}", "no": f"o.no + {by}"}
    copies("ea_order_event", COPIES, "true ORDER BY n, o.id", id=f"o.id + {by}", **moved)
    db.run("ANALYZE")


@pytest.mark.parametrize("hot", HOT, ids=lambda hot: hot.name)
def test_a_statement_of_the_bridge_uses_its_indexes(bridge: Recorder, hot: Hot) -> None:
    """Issue: query plans of the hot statements are asserted."""
    hot.check(plan_of(*bridge.named(hot.statement)))


@pytest.mark.parametrize("hot", [hot for hot in HOT if hot.generic], ids=lambda hot: hot.name)
def test_a_statement_of_the_bridge_uses_its_indexes_whatever_the_values(bridge: Recorder, hot: Hot) -> None:
    """PostgreSQL may turn a prepared statement's plan into one that knows no values: it must do, too."""
    hot.check(plan_of(*bridge.named(hot.statement), generic=True))


WITHOUT = [pytest.param(hot, choices, id=f"{hot.name}: {choices[0]}") for hot in HOT for choices in hot.indexes]


@pytest.mark.parametrize(("hot", "choices"), WITHOUT)
def test_a_plan_of_the_bridge_without_its_index_is_seen(bridge: Recorder, hot: Hot, choices: tuple[str, ...]) -> None:
    """Each check above turns red when what it asks for is taken away."""
    for name in choices:
        index_drop(name)

    with pytest.raises(AssertionError):
        hot.check(plan_of(*bridge.named(hot.statement)))


def test_rules_by_statement_look_rows_up_by_their_keys() -> None:
    """D: made on an empty table and kept while it grew, the plan read the whole log for each signal."""
    found = db.rows(
        "SELECT proname, proconfig FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
        " WHERE tgnewtable IS NOT NULL AND tgrelid::regclass::text LIKE 'ea\\_%%'"
    )
    assert len(found) == 3
    assert {name: config for name, config in found if config != ["enable_seqscan=off"]} == {}
