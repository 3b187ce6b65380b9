"""After a run: whether the books hold, whoever wrote them, and which servers were measured."""

from __future__ import annotations

from typing import Any

import redis
from django.conf import settings

from kernel import db
from settlement.checks import CHECKS, Form, violations_count

# What the fill leaves out on purpose: raised watermarks and events of what was never placed, the clock of orders that
# no request brought, and, for the orders of the lag's row on live symbols, ticks to open at. The tests audit outcomes.
_FILLED = ("I-12", "I-16", "I-17", "I-19", "I-29")


def checked() -> str:
    """Return ``all hold``, or what does not; twins and limits have written into the same books."""
    without = frozenset(name for name in CHECKS if name.startswith(_FILLED))
    broken = {name: found for name, found in violations_count(Form.QUICK, without=without).items() if found}
    return "; ".join(f"{name}: {found}" for name, found in broken.items()) or "all hold"


def versions() -> dict[str, str]:
    """Return the versions of the servers."""
    found = db.row("SHOW server_version")
    assert found is not None
    told: Any = redis.Redis.from_url(settings.REDIS_URL).info("server")
    return {"postgres": str(found[0]), "redis": str(told["redis_version"])}
