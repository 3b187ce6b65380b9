"""Where a server of the wire is, and a key of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """A server of the wire, the one of these tests or a real one, and a key of it.

    :ivar ports: by transport: tcp, ws, http, tls, wss
    """

    host: str
    ports: Mapping[str, int]
    kid: str
    secret: str
    acct: str
    server: str
