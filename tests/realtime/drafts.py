"""Events for tests, and writing them as services do."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from kernel.clock import wall_ms
from realtime.events import EventDraft
from realtime.services import events_append


def draft(user_id: UUID, book: str = "demo", number: int = 0) -> EventDraft:
    """Return an event that carries a number."""
    return EventDraft(user_id, book, "test.happened", b'{"number":%d}' % number, at_ms=wall_ms())


def append(user_id: UUID, *books: str) -> list[int]:
    """Store one event for each book in one transaction and return their numbers."""
    with transaction.atomic():
        return events_append([draft(user_id, book, number) for number, book in enumerate(books)])


def append_large(user_id: UUID, *, events: int, size: int) -> None:
    """Store events of ``size`` bytes each in one transaction."""
    payload = b'{"text":"%s"}' % (b"x" * size)
    with transaction.atomic():
        events_append([EventDraft(user_id, "demo", "test.large", payload, wall_ms()) for _ in range(events)])
