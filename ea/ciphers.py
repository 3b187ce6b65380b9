"""Encryption of keys' secrets at rest, and digests of pairing codes, under a key that the database does not hold."""

from __future__ import annotations

import base64
from functools import cache

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


@cache
def cipher() -> MultiFernet:
    """Return the cipher: it writes with ``SECRET_KEY`` and still reads what ``SECRET_KEY_FALLBACKS`` wrote."""
    return MultiFernet([_fernet(key) for key in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]])


def pairing_secrets() -> list[bytes]:
    """Return what pairing codes are digested under: ``SECRET_KEY`` first, then ``SECRET_KEY_FALLBACKS``."""
    names = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [_derived(secret, b"fairstrike pairing codes of the bridge") for secret in names]


def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derived(secret, b"fairstrike keys of the bridge")))


def _derived(secret: str, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
