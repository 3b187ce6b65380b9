"""Replace the key that signs receipts and archives."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.clock import wall_ms
from kernel.key_files import KeyFileError, key_made, key_read, key_replace
from kernel.signing import key_path
from kernel.signing_history import key_announce, keys_close


class Command(BaseCommand):
    """Make a new private key in place of the old one, of which nothing is kept; the first one likewise."""

    help = "Make a new signing key; the old one signs no more, and what it signed stays valid."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Announce the new key, write it, then end the old one's time: no document falls between the two."""
        where = key_path()
        if where is None:
            raise CommandError("set SIGNING_KEY_FILE to the file that holds the private key, or is to hold it")
        path, kind = where
        old_id = "none"
        if path.exists():
            try:
                old_id = key_read(path).key_id
            except KeyFileError as error:
                raise CommandError(str(error)) from error
        new = key_made()
        key_announce(key_id=new.key_id, public_key=new.public_bytes, kind=kind, now_ms=wall_ms())
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            key_replace(path, new)
        except OSError as error:
            raise CommandError(f"{path} cannot be written ({error.strerror}): the old key stays in use") from error
        keys_close(but=new.key_id, now_ms=wall_ms())
        self.stdout.write(f"old {old_id}\nnew {new.key_id}")
