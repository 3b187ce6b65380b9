"""Messages from the parser to the gateways, by Redis; losing one loses nothing but time."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

import structlog
from django.conf import settings

from kernel.metrics import count

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
    # Most processes never publish, and the library takes a tenth of their start.
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    with _lock:
        if _client is None:
            _client = Redis.from_url(
                settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5, retry=Retry(NoBackoff(), 1)
            )
        return _client
