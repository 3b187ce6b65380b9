"""Probes: alive without I/O, ready when orders can be placed and settled, metrics for the operator's collector."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from kernel import db, metrics
from kernel.clock import DB_NOW_MS_SQL
from kernel.errors import Problem
from kernel.facts import facts_gauges
from kernel.http import json_response, problem_response
from quotes.hours import calendars_short
from quotes.seal_gauges import seals_gauges
from settlement.invariant_results import invariants_gauges

FEED_SILENT_MS = 5_000
SETTLEMENT_LAG_MS = 15_000


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that the process is alive; nothing else is asked."""
    del request
    return json_response({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when database, Redis, feeds and settlement are well, else 503 with what is not."""
    del request
    checks = {name: _checked(check) for name, check in _CHECKS.items()}
    ready = all(text == "ok" for text in checks.values())
    response = json_response(
        {"status": "ok" if ready else "unavailable", "checks": checks}, status=200 if ready else 503
    )
    # A probe asks often; its answer is the report, and Django need not log each one as an error.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def metrics_view(request: HttpRequest) -> HttpResponse:
    """Answer the counters of this process in the Prometheus text format, to whoever holds METRICS_TOKEN."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not settings.METRICS_TOKEN or not hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode()):
        return problem_response(
            Problem("auth.required", status=401, title="Send the metrics token as a bearer token."), request
        )
    return HttpResponse(metrics.exposition() + _gauges(), content_type="text/plain; version=0.0.4")


def _checked(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, redis.RedisError, OSError) as error:
        return f"failed: {type(error).__name__}"


def _database() -> str:
    db.row("SELECT 1")
    return "ok"


def _redis() -> str:
    with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5) as client:
        client.ping()
    return "ok"


def _feed() -> str:
    """At least one symbol must have a fresh heartbeat and a fresh tick."""
    found = db.row(
        f"SELECT count(*) FROM quotes_symbol_head WHERE heartbeat_ms > {DB_NOW_MS_SQL} - %(silent)s"
        f" AND tick_recv_ms > {DB_NOW_MS_SQL} - %(silent)s",
        {"silent": FEED_SILENT_MS},
    )
    return "ok" if found and found[0] else "no ticks"


def _settlement() -> str:
    found = db.row(f"SELECT {DB_NOW_MS_SQL} - min(expires_at_ms) FROM trading_order_open")
    lag_ms = found[0] if found else None
    return "ok" if lag_ms is None or lag_ms < SETTLEMENT_LAG_MS else f"{lag_ms} ms behind"


def _gauges() -> str:
    found = db.row(
        f"SELECT count(*), coalesce(max({DB_NOW_MS_SQL} - expires_at_ms), 0) FROM trading_order_open"
        f" WHERE expires_at_ms < {DB_NOW_MS_SQL}"
    )
    assert found is not None
    orders = f"fairstrike_orders_due {found[0]}\nfairstrike_settlement_lag_ms {found[1]}\n"
    return orders + facts_gauges() + _hours() + seals_gauges() + invariants_gauges()


def _hours() -> str:
    """Calendars whose trading hours are known for less than a week ahead: where they run out, markets close."""
    found = db.row(f"SELECT {DB_NOW_MS_SQL}")
    assert found is not None
    return f"fairstrike_calendars_short {len(calendars_short(now_ms=found[0]))}\n"


_CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "redis": _redis,
    "feed": _feed,
    "settlement": _settlement,
}
