"""The OpenAPI document against the code: requests made of it, valid and invalid, get answers that it declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.services import token_create
from config.wsgi import application
from tests.market import Market, Trader, db_now_ms, market_open, settle_due, trader_open

pytestmark = [pytest.mark.django_db, pytest.mark.journey]

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
    """What the requests may find."""

    trader: Trader
    market: Market
    known: dict[str, str]
    headers: dict[str, str]
    answered: dict[int, int] = field(default_factory=dict)

    def steer(self, case: Any) -> None:
        """Let two of three requests name what exists: random ones seldom do."""
        if hash(str(case.query) + str(case.body)) % 3 == 0:
            return
        for name, value in self.known.items():
            if name in (case.path_parameters or {}):
                case.path_parameters[name] = value
        if isinstance(case.body, dict) and "client_order_id" in case.body:
            case.body |= {"symbol": self.market.code}
            if "ledger" in case.body:
                case.body["ledger"] = "demo"
        if isinstance(case.headers, dict | None) and "refill" in case.operation.path:
            case.headers = {**(case.headers or {}), "Idempotency-Key": str(uuid4())}


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    """A market with ticks, and a trader with orders in all states, wallets, tokens and events."""
    settings.RATE_LIMITS = {name: (1_000_000, 1, 1_000_000) for name in settings.RATE_LIMITS}
    market = market_open(max_tick_age_ms=60_000)
    trader = trader_open(real="1000.00")
    settled = trader.place(market, ledger="real", duration_s=1)
    market.admitted("1.08513", at_ms=market.now_ms + 1_100)
    assert settle_due() == 1
    trader.place(market)
    spare, _ = token_create(user_id=trader.user.id, scopes=["read"], now_ms=db_now_ms())
    _, secret = token_create(
        user_id=trader.user.id, scopes=["read", "trade", "tokens", "withdraw"], now_ms=db_now_ms()
    )
    known = {
        "code": market.code,
        "order_id": str(settled.id),
        "wallet_id": str(trader.wallets["demo"]),
        "token_id": str(spare.pk),
    }
    # As Django's own test client does: the end of a request must not end the transaction of the test.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield World(trader, market, known, {"Authorization": f"Bearer {secret}"})
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
def test_requests_made_of_the_document_get_answers_that_it_declares(case: Any, world: World) -> None:
    """Issue: schemathesis finds no 5xx, no undeclared status, type, header or shape."""
    world.steer(case)
    case.call_and_validate(headers=world.headers, checks=CHECKS)
