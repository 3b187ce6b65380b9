"""The journal: a client's notes and tags on own orders. Nothing here is a term of an order or a part of its result."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Q, QuerySet

from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.errors import FieldError, request_invalid
from kernel.http.pages import Cursor
from trading.models import NOTE_LENGTH_MAX, TAG_LENGTH_MAX, TAGS_MAX, JournalEntry, Order
from trading.selectors import books_of

# How many tags a list of them names, the most used first.
TAGS_LISTED_MAX = 500

_PUT = f"""
INSERT INTO trading_journal_entry (order_id, user_id, accepted_at_ms, note, tags, written_at_ms)
SELECT id, user_id, accepted_at_ms, %(note)s, %(tags)s::varchar[], {DB_NOW_MS_SQL}
FROM trading_order WHERE id = %(order_id)s AND user_id = %(user_id)s
ON CONFLICT (order_id) DO UPDATE
SET note = excluded.note, tags = excluded.tags, written_at_ms = excluded.written_at_ms"""

_TAGS = """
SELECT tag, count(*) AS count
FROM trading_journal_entry AS entry
JOIN trading_order AS o ON o.id = entry.order_id
CROSS JOIN unnest(entry.tags) AS tag
WHERE entry.user_id = %(user_id)s
  AND (%(ledgers)s::varchar[] IS NULL
       OR CASE WHEN left(o.book, 2) = 't:' THEN 'tournament' ELSE o.book END = ANY(%(ledgers)s::varchar[]))
GROUP BY tag ORDER BY count DESC, tag LIMIT %(limit)s"""


class Noted(msgspec.Struct, frozen=True):
    """What a client wants to have noted about an order; nothing at all takes the entry away."""

    note: str
    tags: list[str]


@dataclass(frozen=True, slots=True)
class TagCount:
    """How many orders bear a tag."""

    tag: str
    count: int


def noted_parsed(body: Any) -> Noted:
    """Return an entry as it is stored: lines and tags trimmed, tags in small letters, each once.

    :raises Problem: ``request.invalid`` with each field that has the wrong shape
    """
    if not isinstance(body, dict):
        raise request_invalid(detail="The body must be an object with note and tags.")
    wrong = [FieldError(name, "unknown", "is not a field of this request") for name in body.keys() - {"note", "tags"}]
    note, tags = body.get("note", ""), body.get("tags", [])
    if not isinstance(note, str) or "\0" in note or len(note) > NOTE_LENGTH_MAX or not _encodable(note):
        wrong.append(FieldError("note", "invalid", f"must be a text of at most {NOTE_LENGTH_MAX} characters"))
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        wrong.append(FieldError("tags", "invalid", "must be a list of texts"))
        raise request_invalid(*wrong)
    names = list(dict.fromkeys(tag_named(tag) for tag in tags))
    if len(names) > TAGS_MAX:
        wrong.append(FieldError("tags", "too_many", f"must be at most {TAGS_MAX}"))
    if not all(_is_tag(name) for name in names):
        wrong.append(FieldError("tags", "invalid", f"must have 1 to {TAG_LENGTH_MAX} printable characters each"))
    if wrong:
        raise request_invalid(*wrong)
    return Noted(note=note.strip(), tags=names)


def tag_named(text: str) -> str:
    """Return the name by which a tag is known: written in small letters, with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


def _is_tag(name: str) -> bool:
    return 1 <= len(name) <= TAG_LENGTH_MAX and name.isprintable()


def _encodable(text: str) -> bool:
    return not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text)


def entry_put(*, user_id: UUID, order_id: UUID, noted: Noted) -> None:
    """Write the whole entry of an order of this user; an empty one goes. Another's order is left alone."""
    if noted.note == "" and not noted.tags:
        JournalEntry.objects.filter(order_id=order_id, user_id=user_id).delete()
        return
    db.run(_PUT, {"order_id": order_id, "user_id": user_id, "note": noted.note, "tags": noted.tags})


def entry_of(*, user_id: UUID, order_id: UUID) -> JournalEntry | None:
    """Return what a user noted about an order."""
    return JournalEntry.objects.filter(order_id=order_id, user_id=user_id).first()


def entries_of(
    *,
    user_id: UUID,
    ledgers: Iterable[str] | None,
    tag: str | None,
    symbol: str | None,
    cursor: Cursor | None,
    limit: int,
) -> Sequence[JournalEntry]:
    """Return a user's entries with their orders, those on the newest orders first."""
    found: QuerySet[JournalEntry] = JournalEntry.objects.filter(user_id=user_id).select_related("order")
    if ledgers is not None:
        found = found.filter(books_of(ledgers, "order__"))
    if tag is not None:
        found = found.filter(tags__contains=[tag])
    if symbol is not None:
        found = found.filter(order__symbol=symbol)
    if cursor is not None:
        earlier = Q(accepted_at_ms=cursor.at, order_id__gte=cursor.uuid)
        found = found.filter(accepted_at_ms__lte=cursor.at).exclude(earlier)
    return list(found.order_by("-accepted_at_ms", "-order_id")[:limit])


def tags_of(*, user_id: UUID, ledgers: Sequence[str] | None) -> list[TagCount]:
    """Return a user's tags with their numbers of orders, the most used first."""
    params = {"user_id": user_id, "ledgers": None if ledgers is None else list(ledgers), "limit": TAGS_LISTED_MAX}
    return [TagCount(*row) for row in db.rows(_TAGS, params)]


def order_seen(*, user_id: UUID, order_id: UUID) -> Order | None:
    """Return an order of a user, or None when it is not theirs."""
    return Order.objects.filter(user_id=user_id, id=order_id).first()
