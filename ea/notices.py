"""Notices to other processes: there is work in the log, or there are news for clients.

Commits that notify wait for each other, flush included, so a notice is a transaction of its own, behind the one that it
tells of, and waits for no disk. One that is lost costs a second or two: everybody who listens also asks by himself.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from django.db import DatabaseError, InterfaceError

from kernel import db
from kernel.metrics import count

log = structlog.get_logger(__name__)

# For executors: events wait. For gateways: transitions are there to be told.
DUE_CHANNEL, TOLD_CHANNEL = "ea_due", "ea_told"

# A payload has less than 8,000 bytes.
_LINKS_MAX = 300
_NOTIFY = db.Prepared("""
SELECT set_config('synchronous_commit', 'off', true), pg_notify(%(channel)s, payload)
FROM unnest(%(payloads)s::text[]) AS payload""")


def notice_send(channel: str, links: Iterable[int]) -> None:
    """Tell who listens on a channel which installations it is about, after the commit; nothing depends on it."""
    told = sorted(set(links))
    parts = [told[begin : begin + _LINKS_MAX] for begin in range(0, len(told), _LINKS_MAX)]
    try:
        _NOTIFY.committed({"channel": channel, "payloads": db.words_array(",".join(map(str, part)) for part in parts)})
    except (DatabaseError, InterfaceError) as error:
        count("ea_notices_failed", channel=channel)
        log.warning("ea_notice_failed", channel=channel, error=str(error))


def links_of(payload: str) -> set[int]:
    """Return the installations that a notice is about."""
    return {int(word) for word in payload.split(",") if word}
