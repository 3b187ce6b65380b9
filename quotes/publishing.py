"""Messages from the parser to the gateways, by Redis; losing one loses nothing but time."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from kernel.metrics import count
from kernel.redis_clients import publishing_client

if TYPE_CHECKING:
    from redis import Redis

log = structlog.get_logger(__name__)

TICKS_CHANNEL = "ticks"
FEED_CHANNEL = "feed"
_PAUSE_AFTER_FAILURE_S = 1.0

_lock = Lock()
_client: Redis | None = None
_silent_until_s = 0.0
_failing = False


def publish(channel: str, message: bytes) -> None:
    """Publish a message; a store that is away is told once, counted, and skipped for a moment."""
    global _silent_until_s, _failing  # noqa: PLW0603
    if time.monotonic() < _silent_until_s:
        count("quotes_published_skipped", channel=channel)
        return
    from redis import RedisError

    try:
        _redis().publish(channel, message)
    except (RedisError, OSError) as error:
        _silent_until_s = time.monotonic() + _PAUSE_AFTER_FAILURE_S
        count("quotes_published_failed", channel=channel)
        if not _failing:
            log.warning("quotes_publish_failing", error=str(error))
        _failing = True
        return
    if _failing:
        log.info("quotes_publish_restored")
    _failing = False


def _redis() -> Redis:
    global _client  # noqa: PLW0603
    with _lock:
        if _client is None:
            _client = publishing_client()
        return _client
