"""Events of the bridge on its owner's channel."""

from __future__ import annotations

import msgspec

from realtime.events import event_register


class AlertRaised(msgspec.Struct, frozen=True):
    """Something about a key or an installation that its owner should know; a kind is told once a minute at most."""

    id: str
    kind: str
    installation_id: int
    account: str
    server: str
    kid: str
    address: str
    detail: str
    at: str


def register() -> None:
    """Make the events known."""
    event_register("ea.alert", AlertRaised)
