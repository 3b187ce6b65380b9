"""Signatures of documents, and the keys that the platform publishes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fairstrike_verify.ed25519 import signature_valid
from fairstrike_verify.members import Members, ShapeError, instant_text
from fairstrike_verify.report import Checks
from fairstrike_verify.strict_json import canonical

# What is under way while a key is replaced took its time a little earlier, on a clock of its own.
LEEWAY_MS = 60_000


@dataclass(frozen=True, slots=True)
class Key:
    """A key that the platform says it signed with, and when."""

    key_id: str
    kind: str
    public_key: bytes
    since_ms: int
    until_ms: int | None


def keys_of(document: dict[str, Any]) -> list[Key]:
    """Return the keys of a list as ``/api/v1/fairness/keys`` answers it.

    :raises ShapeError: when it is no such list
    """
    return Members(document).each("data", _key)


def _key(source: Members) -> Key:
    key = Key(
        source.text("key_id"),
        source.text("kind"),
        source.hexadecimal("public_key", 32),
        source.instant("since"),
        source.maybe("until", source.instant),
    )
    if key.key_id != key_id_of(key.public_key):
        raise source.fault("key_id", "the name of its public key")
    return key


def key_id_of(public_key: bytes) -> str:
    """Return the name of a public key."""
    return sha256(public_key).hexdigest()[:16]


def signature_check(document: dict[str, Any], keys: list[Key] | None, checks: Checks) -> None:
    """Check who signed a document, and with ``keys`` whether that key was the platform's then."""
    if document.get("signature") is None:
        checks.failed("it is not signed: nobody vouches for it, and anybody could have written it")
        return
    try:
        signature = Members(document).inner("signature")
        value = signature.hexadecimal("value", 64)
        public_key = signature.hexadecimal("public_key", 32)
        key_id, kind, algorithm = (signature.text(name) for name in ("key_id", "kind", "algorithm"))
        signed_at_ms = Members(document).instant("signed_at")
    except ShapeError as error:
        checks.failed(f"its signature cannot be read: {error}")
        return
    if algorithm != "Ed25519" or kind not in ("production", "dev"):
        checks.failed("its signature is of another kind than this program knows")
        return
    faults = _faults(document, signature, key_id, public_key, value)
    if not checks.all_of(f"it was signed with the key {key_id} and not changed since", faults):
        return
    if kind == "dev":
        checks.development_key()
    if keys is None:
        checks.note(f"that {key_id} is the platform's key is not checked: give its list of keys with --keys")
    else:
        _key_check(keys, Key(key_id, kind, public_key, signed_at_ms, None), checks)


def _faults(document: dict[str, Any], signature: Members, key_id: str, public_key: bytes, value: bytes) -> list[str]:
    if set(signature.source) != {"algorithm", "key_id", "kind", "public_key", "value"}:
        return ["its signature has other members than the format says"]
    if key_id != key_id_of(public_key):
        return ["its key_id is not the name of its public key"]
    bare = {name: member for name, member in signature.source.items() if name != "value"}
    message = canonical({**document, "signature": bare})
    if not signature_valid(public_key=public_key, message=message, signature=value):
        return [f"its signature is not one of this document by the key {key_id}: the document was changed"]
    return []


def _key_check(keys: list[Key], used: Key, checks: Checks) -> None:
    listed = next((key for key in keys if key.public_key == used.public_key), None)
    if listed is None:
        checks.failed(f"the key {used.key_id} is not among the platform's keys: somebody else signed")
    elif listed.kind != used.kind:
        checks.failed(f"the key {used.key_id} is listed as {listed.kind}, the signature says {used.kind}")
    elif used.since_ms < listed.since_ms - LEEWAY_MS or used.since_ms > (listed.until_ms or used.since_ms) + LEEWAY_MS:
        checks.failed(f"the key {used.key_id} was not in use at {instant_text(used.since_ms)}, when it signed")
    else:
        checks.ok(f"the key {used.key_id} is the platform's and was in use when it signed")
