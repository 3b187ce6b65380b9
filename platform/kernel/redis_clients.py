"""Connections to Redis for who publishes: what waits for a store that is away would only grow, so they give up soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from redis import Redis


def publishing_client() -> Redis:
    """Return a new client, whose errors are ``RedisError`` and ``OSError``.

    Redis's library is loaded here: the gateway of the bridge and most commands never publish, and it takes a tenth of
    their start. Whoever publishes while somebody waits loads it before that.
    """
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=0.5,
        socket_timeout=0.5,
        # One retry without a pause: a connection that died while idle is not an outage.
        retry=Retry(NoBackoff(), 1),
    )
