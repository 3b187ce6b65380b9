"""Files that hold a private signing key: read with care, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


class KeyFileError(Exception):
    """A key file is there and cannot be used; the words say why and never what is in it."""


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """A key that signs. It has no text form, so that it cannot slip into a log."""

    private: Ed25519PrivateKey

    @property
    def public_bytes(self) -> bytes:
        """Return the public key's 32 bytes."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        """Return the name of the key: the first 16 hexadecimal digits of its public key's SHA-256."""
        return key_id_of(self.public_bytes)

    def sign(self, message: bytes) -> bytes:
        """Return the signature's 64 bytes."""
        return self.private.sign(message)


def key_id_of(public: bytes) -> str:
    """Return the name of a public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def key_read(path: Path) -> PrivateKey:
    """Read a private Ed25519 key: PEM, PKCS8, not encrypted, readable by its owner alone.

    :raises KeyFileError: when the file is missing, others may read it, or it holds something else
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(10_000)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise KeyFileError(f"{path} must be a file that its owner alone may read: chmod 600")
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What a parser says may quote the file.
        raise KeyFileError(f"{path} holds no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds a key of another kind than Ed25519")
    return PrivateKey(key)


def key_made() -> PrivateKey:
    """Make a new key, in memory only."""
    return PrivateKey(Ed25519PrivateKey.generate())


def key_replace(path: Path, key: PrivateKey) -> None:
    """Write a key over the one in a file, if any; the old one is gone then.

    :raises OSError: when the folder cannot be written
    """
    made = _written_beside(path, key)
    try:
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)
    _folder_synced(path.parent)


def key_ensure(path: Path) -> PrivateKey:
    """Return the key of a file, which is made first if there is none; of several processes one makes it.

    :raises KeyFileError: when the file cannot be used
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = _written_beside(path, key_made())
        try:
            # A link is made or refused in one step, and only ever to a whole file.
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            made.unlink(missing_ok=True)
        _folder_synced(path.parent)
    return key_read(path)


def _written_beside(path: Path, key: PrivateKey) -> Path:
    content = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # mkstemp makes the file with mode 0600.
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(name).unlink()
        raise
    return Path(name)


def _folder_synced(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
