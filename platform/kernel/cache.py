"""What the shared cache stores: JSON, so that whoever can write to Redis cannot run code here (S-42)."""

from __future__ import annotations

import json
from typing import Any


class JSONSerializer:
    """Serializer of Django's Redis cache; whole numbers stay plain, so that Redis can count with them."""

    def dumps(self, value: Any) -> bytes:
        """Return the bytes to store."""
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        """Return what was stored."""
        return json.loads(data)
