"""Alerts of TradingView as its templates make them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from ea.hooks import hook_create
from ea.models import Hook
from kernel.clock import rfc3339
from tests.ea.bridge import Installation, installation
from tests.market import db_now_ms

ALERT: dict[str, Any] = {
    "strategy": "breakout",
    "ticker": "FX:EURUSD",
    "action": "buy",
    "time": "2026-11-30T09:00:00Z",
    "timenow": "2026-11-30T09:00:05Z",
    "price": "1.08512",
    "stake": "10.00",
    "expiry_s": 60,
}


def alert(**changes: Any) -> bytes:
    """Return the body of an alert; a change to ``...`` leaves the member out."""
    return json.dumps({name: value for name, value in (ALERT | changes).items() if value is not ...}).encode()


def fresh(**changes: Any) -> bytes:
    """Return an alert that fired just now, with the whole seconds that TradingView tells."""
    now_ms = db_now_ms()
    return alert(**{"timenow": f"{rfc3339(now_ms)[:19]}Z"} | changes)


@dataclass
class Hooked:
    """An installation with a hook."""

    one: Installation
    hook: Hook
    token: str
    secret: str | None

    def post(self, body: bytes, *, content_type: str = "application/json", **headers: str) -> Any:
        """Post a body and return the response with its parsed ``frame``."""
        response: Any = Client(raise_request_exception=False).post(
            f"/ea/v1/hook/{self.token}", body, content_type=content_type, headers=headers
        )
        response.frame = json.loads(response.content)
        return response


def hooked(one: Installation | None = None, **terms: Any) -> Hooked:
    """Make a hook of an installation."""
    one = one or installation()
    hook, token, secret = hook_create(link_id=one.link.pk, now_ms=db_now_ms(), **terms)
    return Hooked(one, hook, token, secret)
