"""Which keys signed, and when: public parts only. A key that was replaced never signs again."""

from __future__ import annotations

from django.db import transaction

from kernel import db
from kernel.clock import optional_rfc3339, rfc3339
from kernel.models import SigningKey

# A document takes its time before it is signed: the key's time begins with those that are under way at its first use.
_UNDER_WAY_MS = 60_000
_CLOSE = """
UPDATE kernel_signing_key SET until_ms = greatest(since_ms, %(now_ms)s)
WHERE until_ms IS NULL AND key_id <> %(but)s"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('kernel_signing_key'))"


def key_in_use(*, key_id: str, public_key: bytes, kind: str, now_ms: int) -> str | None:
    """Return the kind under which a key is on record, or None when it was replaced.

    A key that signs for the first time is put on record, and the one before it is closed.
    """
    found = _recorded(key_id)
    if found is None:
        with transaction.atomic():
            db.run(_LOCK)
            found = _recorded(key_id)
            if found is None:
                _open(key_id, public_key, kind, since_ms=now_ms - _UNDER_WAY_MS)
                keys_close(but=key_id, now_ms=now_ms)
                return kind
    recorded, until_ms = found
    return recorded if until_ms is None else None


def key_announce(*, key_id: str, public_key: bytes, kind: str, now_ms: int) -> None:
    """Put a new key on record before any process can sign with it; the one before stays open."""
    with transaction.atomic():
        db.run(_LOCK)
        _open(key_id, public_key, kind, since_ms=now_ms)


def keys_close(*, but: str, now_ms: int) -> None:
    """End the time of every key but one."""
    db.run(_CLOSE, {"but": but, "now_ms": now_ms})


def keys_public() -> list[dict[str, str | None]]:
    """Return all keys that ever signed, newest first, as the platform publishes them."""
    return [
        {
            "key_id": key.key_id,
            "kind": key.kind,
            "public_key": key.public_key,
            "since": rfc3339(key.since_ms),
            "until": optional_rfc3339(key.until_ms),
        }
        for key in SigningKey.objects.order_by("-since_ms", "-id")
    ]


def _recorded(key_id: str) -> tuple[str, int | None] | None:
    return SigningKey.objects.filter(key_id=key_id).values_list("kind", "until_ms").first()


def _open(key_id: str, public_key: bytes, kind: str, *, since_ms: int) -> None:
    SigningKey.objects.create(key_id=key_id, public_key=public_key.hex(), kind=kind, since_ms=since_ms)
