"""Encryption of keys' secrets at rest, with a key that the database does not hold."""

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


def _fernet(secret: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"fairstrike keys of the bridge")
    return Fernet(base64.urlsafe_b64encode(derived.derive(secret.encode())))
