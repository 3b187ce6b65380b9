"""Sessions in the database with short-lived copies in the cache; without the cache they go on."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib.sessions.backends.cached_db import SessionStore as CachedDbStore
from redis.exceptions import RedisError

from kernel.metrics import count

log = structlog.get_logger(__name__)

# A log-out that could not reach the cache is undone by the copy there, so copies live briefly.
_COPY_SECONDS = 30


class SessionStore(CachedDbStore):
    """Django's ``cached_db``, whose cache may be away at any moment without failing a request."""

    def load(self) -> dict[str, Any]:
        """Return the session's data, from the copy when there is one."""
        found = self._copy()
        if found is not None:
            return found
        stored = self._get_session_from_db()
        if not stored:
            return {}
        data: dict[str, Any] = self.decode(stored.session_data)
        self._copy_keep(data)
        return data

    def exists(self, session_key: str | None) -> bool:
        """Tell from the database whether a key is taken."""
        return bool(session_key) and super(CachedDbStore, self).exists(session_key)

    def save(self, must_create: bool = False) -> None:
        """Store the session in the database, then renew its copy."""
        super(CachedDbStore, self).save(must_create)
        self._copy_keep(self._session)

    def delete(self, session_key: str | None = None) -> None:
        """End the session in the database, then drop its copy."""
        super(CachedDbStore, self).delete(session_key)
        key = self.session_key if session_key is None else session_key
        if key is None:
            return
        try:
            self._cache.delete(self.cache_key_prefix + key)
        except (RedisError, OSError) as error:
            _cache_failed("delete", error)

    def _copy(self) -> dict[str, Any] | None:
        if self.session_key is None:
            return None
        try:
            found: dict[str, Any] | None = self._cache.get(self.cache_key_prefix + self.session_key)
        except (RedisError, OSError) as error:
            _cache_failed("get", error)
            return None
        return found

    def _copy_keep(self, data: dict[str, Any]) -> None:
        seconds = min(_COPY_SECONDS, self.get_expiry_age(expiry=data.get("_session_expiry")))
        try:
            self._cache.set(self.cache_key_prefix + self.session_key, data, seconds)
        except (RedisError, OSError) as error:
            _cache_failed("set", error)


def _cache_failed(action: str, error: Exception) -> None:
    count("session_cache_failures", action=action)
    log.debug("session_cache_failed", action=action, error=str(error))
