"""When and by which way keys were last heard of: a hint for their owners, which decides nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from threading import Lock
from typing import Any

from ea import statements
from ea.keys import LiveKey
from kernel import db

_EVERY_S = 10.0
_KEPT_MAX = 50_000

_lock = Lock()
_seen: dict[str, float] = {}


def presences_write(rows: Sequence[dict[str, Any]]) -> None:
    """Write down when keys were last heard of; what is newer already stays.

    :param rows: ``kid``, ``link_id``, ``transport``, ``seen_at_ms``, ``online``; each key once
    """
    db.run(statements.PRESENCE, {"rows": json.dumps(rows)})


def asked_over_http(key: LiveKey, *, now_ms: int) -> None:
    """Take note that a key asks over HTTP, by a statement every few seconds."""
    now_s = time.monotonic()
    with _lock:
        if now_s - _seen.get(key.kid, -_EVERY_S) < _EVERY_S:
            return
        if len(_seen) >= _KEPT_MAX:
            _seen.clear()
        _seen[key.kid] = now_s
    row = {"kid": key.kid, "link_id": key.link_id, "transport": "http", "seen_at_ms": now_ms, "online": True}
    presences_write([row])
