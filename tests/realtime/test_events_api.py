"""GET /api/v1/events: the record behind the socket."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from kernel.clock import wall_ms
from realtime.services import events_expire
from tests.accounts.people import person, reader, token_of
from tests.realtime.drafts import append

pytestmark = pytest.mark.django_db


def _get(token: str, query: str = "") -> tuple[int, dict[str, Any]]:
    response = Client(headers={"Authorization": f"Bearer {token}"}).get(f"/api/v1/events{query}")
    return response.status_code, response.json()


def test_events_come_ascending_as_the_socket_tells_them() -> None:
    """Contract, events: the same envelope as on the socket, ascending, with the user's newest number."""
    user = reader()
    append(user.pk, "demo", "", "real")
    status, document = _get(token_of(user.pk), "?after=1")
    assert status == 200
    assert document["last_seq"] == 3
    assert [(e["seq"], e["prev_seq"], e["ledger"], e["v"], e["type"], e["data"]) for e in document["data"]] == [
        (2, 1, None, 1, "test.happened", {"number": 1}),
        (3, 2, "real", 1, "test.happened", {"number": 2}),
    ]


def test_bound_token_sees_its_ledger_and_its_own_chain() -> None:
    """Contract, Auth: other ledgers' events are hidden, and ``prev_seq`` skips them."""
    user = reader()
    append(user.pk, "demo", "real", "", "demo", "real")
    _, document = _get(token_of(user.pk, ledgers=["real"]), "?after=2")
    assert [(e["seq"], e["prev_seq"]) for e in document["data"]] == [(5, 2)]
    assert document["last_seq"] == 5


def test_pages_are_bounded_and_follow_each_other() -> None:
    """Contract, events: at most 500 at once; the next page starts where this one ends."""
    user = reader()
    append(user.pk, *["demo"] * 505)
    token = token_of(user.pk)
    _, first = _get(token)
    _, second = _get(token, f"?after={first['data'][-1]['seq']}&limit=3")
    assert len(first["data"]) == 500
    assert [e["seq"] for e in second["data"]] == [501, 502, 503]
    assert second["data"][0]["prev_seq"] == 500


def test_cursor_past_retention_is_gone() -> None:
    """Contract, events: 410 ``events.cursor_expired`` past retention; from the floor on all is well."""
    user = reader()
    append(user.pk, "demo", "demo")
    events_expire(before_ms=wall_ms() + 1)
    append(user.pk, "demo")
    token = token_of(user.pk)
    status, problem = _get(token, "?after=1")
    assert (status, problem["code"]) == (410, "events.cursor_expired")
    assert [e["seq"] for e in _get(token, "?after=2")[1]["data"]] == [3]
    assert [e["seq"] for e in _get(token)[1]["data"]] == [3]


@pytest.mark.parametrize("query", ["?after=-1", "?after=x", "?limit=0", "?limit=501", "?until=3", "?after=1&after=2"])
def test_bad_queries_are_refused(query: str) -> None:
    """Contract: what a query does not mean is 400, never a wider list."""
    status, problem = _get(token_of(reader().pk), query)
    assert (status, problem["code"]) == (400, "request.invalid")


def test_unknown_callers_and_missing_scope_are_refused() -> None:
    """Contract, Auth: 401 unknown, 403 scope."""
    assert Client().get("/api/v1/events").status_code == 401
    status, problem = _get(token_of(reader().pk, "trade"))
    assert (status, problem["code"]) == (403, "auth.scope")


def test_a_new_user_has_the_event_of_the_demo_grant() -> None:
    """Architecture, lock order: sign-up opens the counter before the ledger tells of the demo money."""
    user = person()
    _, document = _get(token_of(user.pk))
    assert [(e["seq"], e["type"], e["ledger"]) for e in document["data"]] == [(1, "balance.changed", "demo")]


def test_event_schemas_are_exported(tmp_path: Any) -> None:
    """Contract, WebSocket: each event type has its schema under docs/events/, and --check tells a stale one."""
    call_command("export_events", "--into", str(tmp_path), verbosity=0)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"account.banned.v1.json", "balance.changed.v1.json"} <= names
    call_command("export_events", "--check", "--into", str(tmp_path), verbosity=0)
    (tmp_path / "account.banned.v1.json").write_text("{}")
    with pytest.raises(CommandError, match=r"account\.banned"):
        call_command("export_events", "--check", "--into", str(tmp_path), verbosity=0)


def test_published_schemas_are_those_of_the_code() -> None:
    """Contract, WebSocket: docs/events/ says what events hold now; ``manage.py export_events`` renews it."""
    call_command("export_events", "--check", verbosity=0)
