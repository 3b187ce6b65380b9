"""Checks of the installation that Django's ``check --deploy`` runs."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register

from kernel.key_files import KeyFileError, key_read
from kernel.signing import KeyKind, key_path


@register(Tags.security, deploy=True)
def signing_key_check(**_: Any) -> list[CheckMessage]:
    """Say when receipts and archives will not be signed."""
    where = key_path()
    if where is None:
        words = "SIGNING_KEY_FILE is not set: receipts and archives are not signed."
        return [Warning(words, hint="docs/operations.md, Signing keys", id="kernel.W001")]
    path, kind = where
    if kind is KeyKind.DEV:
        return []
    try:
        key_read(path)
    except KeyFileError as error:
        return [Error(f"SIGNING_KEY_FILE: {error}.", hint="docs/operations.md, Signing keys", id="kernel.E001")]
    return []
