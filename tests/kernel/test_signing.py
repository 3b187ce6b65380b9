"""Signing keys: outside the database, one at a time, with a history that nobody edits (docs/fairness/formats.md)."""

from __future__ import annotations

import hashlib
from io import StringIO
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django.fixtures import Settings

from kernel.canonical import canonical
from kernel.checks import signing_key_check
from kernel.key_files import KeyFileError, key_ensure, key_made, key_read, key_replace
from kernel.models import SigningKey
from kernel.signing import signed
from tests.crowd import at_once

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENT = {"version": "day/1", "count": 3}


@pytest.fixture
def key_file(settings: Settings, tmp_path: Path) -> Path:
    """Return where the platform looks for its key; nothing is there yet."""
    settings.SIGNING_KEY_FILE = tmp_path / "signing.pem"
    path: Path = settings.SIGNING_KEY_FILE
    return path


def _verified(document: dict[str, Any]) -> dict[str, str]:
    """Verify a document's signature by the words of the format; return it."""
    signature: dict[str, str] = dict(document["signature"])
    value = bytes.fromhex(signature.pop("value"))
    public = bytes.fromhex(signature["public_key"])
    assert signature["algorithm"] == "Ed25519"
    assert signature["key_id"] == hashlib.sha256(public).hexdigest()[:16]
    Ed25519PublicKey.from_public_bytes(public).verify(value, canonical({**document, "signature": signature}))
    return signature


def _rotated() -> tuple[str, str]:
    out = StringIO()
    call_command("rotate_signing_key", stdout=out)
    old, new = (line.split()[1] for line in out.getvalue().splitlines())
    return old, new


def test_a_signature_covers_the_document_and_says_who_signed(key_file: Path) -> None:
    """Formats: the value signs the canonical JSON without itself, kind and public key included."""
    key_replace(key_file, key_made())
    document = signed(DOCUMENT)
    assert _verified(document)["kind"] == "production"
    for changed in ({**document, "count": 4}, {**document, "signature": {**document["signature"], "kind": "dev"}}):
        with pytest.raises(InvalidSignature):
            _verified(changed)


def test_a_development_platform_makes_one_key_and_says_so(settings: Settings, tmp_path: Path) -> None:
    """Formats: such a key is marked dev; it is made once, for its owner alone, however many processes start."""
    settings.DATA_DIR = tmp_path
    first, second = signed(DOCUMENT), signed(DOCUMENT)
    assert first == second
    assert _verified(first)["kind"] == "dev"
    path = tmp_path / "keys" / "signing-dev.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    # A copy of that key is no better for being named in the environment.
    settings.SIGNING_KEY_FILE = path
    assert _verified(signed(DOCUMENT))["kind"] == "dev"


def test_of_many_processes_one_makes_the_key(tmp_path: Path) -> None:
    """Formats: two keys made at a first start would leave receipts that no key on record signed."""
    path = tmp_path / "keys" / "signing-dev.pem"
    made = at_once(8, lambda _: key_ensure(path).key_id)
    assert len(set(made)) == 1
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_production_without_a_key_signs_nothing(settings: Settings) -> None:
    """Contract: SIGNING_KEY_FILE; without it documents say signature null, and the deployment check warns."""
    settings.DEVELOPMENT = False
    assert signed(DOCUMENT) == {**DOCUMENT, "signature": None}
    assert [found.id for found in signing_key_check()] == ["kernel.W001"]
    assert not SigningKey.objects.exists()
    with pytest.raises(CommandError, match="SIGNING_KEY_FILE"):
        call_command("rotate_signing_key")


@pytest.mark.parametrize("fault", ["missing", "readable", "folder", "rsa", "text"])
def test_a_key_file_that_cannot_be_trusted_signs_nothing(key_file: Path, fault: str) -> None:
    """Contract: the key's file is a private Ed25519 key that its owner alone may read; errors never quote it."""
    if fault == "folder":
        key_file.mkdir()
    elif fault == "text":
        key_file.write_text("a secret that is no key")
        key_file.chmod(0o600)
    elif fault == "rsa":
        pem = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        key_file.write_bytes(pem)
        key_file.chmod(0o600)
    elif fault == "readable":
        key_replace(key_file, key_made())
        key_file.chmod(0o640)
    with pytest.raises(KeyFileError) as refused:
        key_read(key_file)
    assert "secret" not in str(refused.value)
    assert signed(DOCUMENT)["signature"] is None
    assert [found.id for found in signing_key_check()] == ["kernel.E001"]


def test_a_rotation_replaces_the_key_without_a_restart(key_file: Path) -> None:
    """Formats: the old key's time ends, the new one's begins, nothing of the old private key is kept."""
    none, first = _rotated()
    assert none == "none"
    before = signed(DOCUMENT)
    old, new = _rotated()
    after = signed(DOCUMENT)
    assert (_verified(before)["key_id"], _verified(after)["key_id"]) == (old, new) == (first, new)
    closed, opened = SigningKey.objects.order_by("id")
    assert closed.until_ms is not None
    assert closed.since_ms <= opened.since_ms <= closed.until_ms
    assert opened.until_ms is None
    assert list(key_file.parent.iterdir()) == [key_file]
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_a_key_put_there_by_hand_is_put_on_record_at_its_first_use(key_file: Path) -> None:
    """Formats: the history names every key that signed, also one that no command made."""
    key_replace(key_file, key_made())
    first = _verified(signed(DOCUMENT))["key_id"]
    key_replace(key_file, key_made())
    second = _verified(signed(DOCUMENT))["key_id"]
    closed, opened = SigningKey.objects.order_by("id")
    assert (closed.key_id, opened.key_id) == (first, second)
    assert closed.until_ms is not None
    assert opened.until_ms is None


def test_a_replaced_key_signs_no_more(key_file: Path) -> None:
    """Formats: a host that still has the old file publishes unsigned, not under a key whose time has ended."""
    key_replace(key_file, key_made())
    signed(DOCUMENT)
    kept = key_file.read_bytes()
    _rotated()
    key_file.write_bytes(kept)
    assert signed(DOCUMENT)["signature"] is None


def test_a_rotation_that_cannot_write_leaves_the_old_key_in_use(key_file: Path) -> None:
    """Formats: a full disk must not leave a platform without signatures."""
    key_replace(key_file, key_made())
    before = signed(DOCUMENT)
    most = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (0, most[1]))
    try:
        with pytest.raises(CommandError, match="stays in use"):
            _rotated()
    finally:
        setrlimit(RLIMIT_FSIZE, most)
    assert list(key_file.parent.iterdir()) == [key_file]
    assert signed(DOCUMENT) == before


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM kernel_signing_key",
        "UPDATE kernel_signing_key SET public_key = repeat('0', 64)",
        "UPDATE kernel_signing_key SET since_ms = 0, until_ms = 1",
        "UPDATE kernel_signing_key SET until_ms = NULL WHERE until_ms IS NOT NULL",
        "UPDATE kernel_signing_key SET until_ms = until_ms + 1 WHERE until_ms IS NOT NULL",
    ],
)
def test_the_history_of_keys_is_not_edited(key_file: Path, statement: str) -> None:
    """Formats: the database refuses to rewrite when a key signed."""
    _rotated()
    _rotated()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
