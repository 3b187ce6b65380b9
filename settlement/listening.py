"""Connections that hear the database's notifications, beside the one that works."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connection


def listening_connection(*channels: str) -> psycopg.Connection[Any]:
    """Return a connection of its own that listens on channels."""
    params = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold", "pool", "server_side_binding"):
        params.pop(name, None)
    listener = psycopg.connect(**params, autocommit=True)
    for channel in channels:
        listener.execute(f"LISTEN {channel}")
    return listener
