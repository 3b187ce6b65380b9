"""Signatures of what the platform publishes: Ed25519 over canonical JSON, by a key that the database does not hold.

The format is fixed in docs/fairness/formats.md. A platform without a key publishes the same documents unsigned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

import structlog
from django.conf import settings

from kernel.canonical import canonical
from kernel.clock import wall_ms
from kernel.key_files import KeyFileError, PrivateKey, key_ensure, key_read
from kernel.signing_history import key_in_use

__all__ = ["KeyKind", "canonical", "key_path", "signature_by", "signed", "signing_key_record"]

log = structlog.get_logger(__name__)


class KeyKind(StrEnum):
    """Who vouches for a key: an operator who made it, or nobody."""

    PRODUCTION = "production"
    DEV = "dev"


@dataclass(frozen=True, slots=True)
class _Loaded:
    key: PrivateKey
    version: tuple[int, int, int]


_lock = Lock()
_loaded: dict[Path, _Loaded] = {}
_silent: set[str] = set()


def signed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with its ``signature``: null where the platform has no key that may sign.

    :raises NotCanonicalError: when the document holds what canonical JSON cannot say
    """
    found = _key()
    if found is None:
        return {**document, "signature": None}
    key, kind = found
    return {**document, "signature": signature_by(key, kind, document)}


def signing_key_record() -> None:
    """Put the key that would sign now on record, so that whoever asks for the keys before any document knows it."""
    _key()


def signature_by(key: PrivateKey, kind: str, document: Mapping[str, Any]) -> dict[str, str]:
    """Return the signature of a document by a given key."""
    signature = {
        "algorithm": "Ed25519",
        "key_id": key.key_id,
        "kind": kind,
        "public_key": key.public_bytes.hex(),
    }
    value = key.sign(canonical({**document, "signature": signature})).hex()
    return {**signature, "value": value}


def key_path() -> tuple[Path, KeyKind] | None:
    """Return where this platform's private key is: the operator's file, or in development one of its own."""
    if settings.SIGNING_KEY_FILE is not None:
        return settings.SIGNING_KEY_FILE, KeyKind.PRODUCTION
    if settings.DEVELOPMENT:
        return settings.DATA_DIR / "keys" / "signing-dev.pem", KeyKind.DEV
    return None


def _key() -> tuple[PrivateKey, str] | None:
    """Return the key that signs now with its kind on record, or None and say in the log why, once for each reason."""
    where = key_path()
    if where is None:
        return _no_key("no_key", "SIGNING_KEY_FILE is not set: receipts and archives are not signed")
    path, kind = where
    try:
        key = _read(path, kind)
    except KeyFileError as error:
        return _no_key("unusable", str(error))
    recorded = key_in_use(key_id=key.key_id, public_key=key.public_bytes, kind=kind, now_ms=wall_ms())
    if recorded is None:
        return _no_key(
            f"retired {key.key_id}", f"key {key.key_id} was replaced and signs no more: put the new one in {path}"
        )
    _silent.clear()
    return key, recorded


def _no_key(reason: str, words: str) -> tuple[PrivateKey, str] | None:
    if reason not in _silent:
        _silent.add(reason)
        log.error("signing_impossible", reason=words)
    return None


def _read(path: Path, kind: KeyKind) -> PrivateKey:
    """Return the key of a file, read again only when the file is another one than before."""
    with _lock:
        known = _loaded.get(path)
        version = _version(path)
        if known is not None and known.version == version:
            return known.key
        key = key_ensure(path) if kind is KeyKind.DEV else key_read(path)
        # Taken before reading where there was a file: one replaced meanwhile is read again at the next signature.
        _loaded[path] = _Loaded(key, version or _version(path) or (0, 0, 0))
        return key


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_mode
