"""The OpenAPI document against the code: requests made of it, valid and invalid, get answers that it declares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.services import token_create
from config.wsgi import application
from ea.log import EventLog
from ea.naming import alias_add
from quotes.admission import heartbeats_record
from quotes.seals import seals_make
from tests.ea.alerts import hooked
from tests.ea.bridge import installation
from tests.ea.events import arrived, id_of
from tests.market import Market, db_now_ms, market_open, settle_due, trader_open

pytestmark = pytest.mark.django_db

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 25

document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
schema = schemathesis.openapi.from_dict(document)
schema.app = application


@dataclass
class World:
    """What the requests may find.

    :ivar known: what stands for parameters in paths
    :ivar good: bodies that are taken, by operation
    """

    market: Market
    known: dict[str, str]
    good: dict[str, dict[str, Any]]
    headers: dict[str, str]
    answered: set[int] = field(default_factory=set)

    def steer(self, case: Any) -> None:
        """Let two of three requests name what exists, and one of them say what is taken: random ones seldom do."""
        number = crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 3
        if number == 0:
            return
        for name in case.path_parameters or {}:
            case.path_parameters[name] = self.known[name]
        if "symbol" in (case.query or {}):
            case.query["symbol"] = self.market.code
        if number == 1:
            case.body = self.good.get(case.operation.label, case.body)


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    """A market with ticks, and a trader with orders in all states, wallets, tokens, events and an installation."""
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, (1000000, 1, 1000000))
    market = market_open(max_tick_age_ms=60_000)
    trader = trader_open(real="1000.00")
    settled = trader.place(market, ledger="real", duration_s=1)
    market.admitted("1.08513", at_ms=market.now_ms + 1_100)
    assert settle_due() == 1
    trader.place(market)
    heartbeats_record(heartbeats={market.id: market.now_ms + 120_000})
    assert seals_make(now_ms=db_now_ms()) > 0
    spare, _ = token_create(user_id=trader.user.id, scopes=["read"], now_ms=db_now_ms())
    _, secret = token_create(user_id=trader.user.id, scopes=["read", "trade", "tokens", "withdraw"], now_ms=db_now_ms())
    one = installation(trader)
    signal = arrived(one, 1)
    EventLog().append([signal])
    alias = alias_add(link_id=one.link.pk, raw="FIRST", symbol=market.code)
    known = {
        "link_id": str(one.link.pk),
        "kid": one.key.kid,
        "hook_id": hooked(one).hook.pk,
        "event_id": str(id_of(signal)),
        "alias_id": str(alias.pk),
        "strategy": "breakout",
        "code": market.code,
        "order_id": str(settled.id),
        "wallet_id": str(trader.wallets["demo"]),
        "token_id": str(spare.pk),
        "symbol": market.code,
        "day": datetime.fromtimestamp(market.now_ms / 1000, UTC).date().isoformat(),
        "slug": "settlement_last_tick_1",
    }
    # As Django's own test client does: the end of a request must not end the transaction of the test.
    for request in (request_started, request_finished):
        request.disconnect(close_old_connections)
    # The first market is ahead of the clock by now.
    open_now = market_open("GBPUSD", max_tick_age_ms=60_000)
    made = World(market, known, bodies(open_now, one.link.pk), {"Authorization": f"Bearer {secret}"})
    yield made
    for request in (request_started, request_finished):
        request.connect(close_old_connections)
    assert any(200 <= status < 300 for status in made.answered), "none of the requests was a good one"


def bodies(market: Market, link_id: int) -> dict[str, dict[str, Any]]:
    """Return a body that is taken for each operation that random ones seldom satisfy."""
    order = {"client_order_id": "good-1", "symbol": market.code, "direction": "up", "stake": "1.00", "ledger": "demo"}
    of_link = "/api/v1/ea/installations/{link_id}"
    return {
        "POST /api/v1/orders": order | {"duration_s": 60},
        "POST /api/v1/ea/installations": {"account": "7", "server": "Broker-Demo", "ledger": "demo"},
        "POST /api/v1/ea/aliases": {"installation_id": link_id, "raw": "SECOND", "symbol": market.code},
        f"PUT {of_link}/limits": {"version": 0, "hard": {"orders_per_minute": 5}},
        f"PUT {of_link}/params/{{strategy}}": {"values": {"stake": "2.50", "expiry_s": 120}},
    }


def test_the_document_is_openapi_3_1() -> None:
    """Contract, HTTP: ``/api/schema`` is OpenAPI 3.1, and is valid as that."""
    validate_schema(document)  # type: ignore[no-untyped-call]

    assert document["openapi"].startswith("3.1.")


def test_the_document_is_what_the_platform_delivers(client: Client) -> None:
    """The checks below are about the document that clients get."""
    assert client.get("/api/schema").json() == json.loads(json.dumps(document))


OPERATIONS = [(path, method, found) for path, item in document["paths"].items() for method, found in item.items()]


@pytest.mark.parametrize(
    ("path", "method", "operation"), OPERATIONS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_refusals_are_declared_as_problem_documents(path: str, method: str, operation: dict[str, Any]) -> None:
    """Contract, Errors: application/problem+json for every refusal; 401 and 403 where a caller must be known."""
    operation = document["paths"][path][method]
    refusals = {status: response for status, response in operation["responses"].items() if int(status) >= 400}

    for response in refusals.values():
        assert list(response["content"]) == ["application/problem+json"]
    assert {"400", "429"} <= set(refusals) or path == "/api/v1/time"
    assert ({"401", "403"} <= set(refusals)) is any(operation.get("security", []))
    assert ("404" in refusals) or "{" not in path


@pytest.mark.slow
@schema.parametrize()
@hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
def test_requests_made_of_the_document_get_answers_that_it_declares(case: Any, world: World) -> None:
    """Issue: schemathesis finds no 5xx, no undeclared status, type, header or shape."""
    world.steer(case)
    world.answered.add(case.call_and_validate(headers=world.headers, checks=CHECKS).status_code)


def test_an_undeclared_answer_is_seen(world: World) -> None:
    """The checks above have teeth: take a status out of the document, and the answer with it fails."""
    broken = deepcopy(document)
    del broken["paths"]["/api/v1/symbols/{code}"]["get"]["responses"]["404"]
    without = schemathesis.openapi.from_dict(broken)
    without.app = application
    world.answered.add(200)

    for described, seen in ((schema, False), (without, True)):
        case = described["/api/v1/symbols/{code}"]["GET"].Case(path_parameters={"code": "NOPE"})
        with pytest.raises(FailureGroup) if seen else nullcontext():
            case.call_and_validate(checks=CHECKS)
