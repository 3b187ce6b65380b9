"""Sessions in the database with short-lived copies in the cache; without the cache they go on."""

from __future__ import annotations

from typing import Any

import structlog
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.core.cache import caches
from redis.exceptions import RedisError

from kernel.metrics import count

log = structlog.get_logger(__name__)

# A log-out that could not reach the cache leaves a copy behind, so copies live briefly.
_COPY_SECONDS = 30


class SessionStore(DatabaseStore):
    """Django's database sessions, read from a copy where there is one.

    Django's own ``cached_db`` fails a request when the cache goes away between its read and its write.
    """

    def load(self) -> dict[str, Any]:
        """Return the session's data."""
        copy = self._copy()
        if copy is not None:
            return copy
        data: dict[str, Any] = super().load()
        if data:
            self._copy_keep(data)
        return data

    def save(self, must_create: bool = False) -> None:
        """Store the session, then renew its copy."""
        super().save(must_create)
        self._copy_keep(dict(self.items()))

    def delete(self, session_key: str | None = None) -> None:
        """End the session, then drop its copy."""
        ended = self.session_key if session_key is None else session_key
        super().delete(session_key)
        if ended is None:
            return
        try:
            caches[settings.SESSION_CACHE_ALIAS].delete(_copy_name(ended))
        except (RedisError, OSError) as error:
            _cache_failed("delete", error)

    def _copy(self) -> dict[str, Any] | None:
        if self.session_key is None:
            return None
        try:
            found: dict[str, Any] | None = caches[settings.SESSION_CACHE_ALIAS].get(_copy_name(self.session_key))
        except (RedisError, OSError) as error:
            _cache_failed("get", error)
            return None
        return found

    def _copy_keep(self, data: dict[str, Any]) -> None:
        if self.session_key is None:
            return
        seconds = min(_COPY_SECONDS, self.get_expiry_age(expiry=data.get("_session_expiry")))
        try:
            caches[settings.SESSION_CACHE_ALIAS].set(_copy_name(self.session_key), data, seconds)
        except (RedisError, OSError) as error:
            _cache_failed("set", error)


def _copy_name(session_key: str) -> str:
    return f"session:{session_key}"


def _cache_failed(action: str, error: Exception) -> None:
    count("session_cache_failures", action=action)
    log.debug("session_cache_failed", action=action, error=str(error))
