"""Seals and archives over REST, for everybody to download and check."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import IO, Any

from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.clock import rfc3339
from kernel.errors import field_invalid
from kernel.http import MsgspecRenderer
from kernel.http.pages import Cursor, instant_query, known_query, page_ask, page_document
from kernel.http.schema import FROM, PAGE, TO
from kernel.jobs import database_now_ms
from quotes.api import PublicView
from quotes.archive_reads import (
    ArchiveContent,
    ArchiveRow,
    ArchivesAsk,
    archive_content,
    archives_list,
    day_manifest,
    heads_between,
)
from quotes.archive_text import DAY_MS, day_start_ms
from quotes.sealing import MINUTE_MS, SealRow

HEADS_MAX = 1_440
_BLOCK_BYTES = 64 * 1024
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(9999, 12, 31)
_SYMBOL = OpenApiParameter("symbol", str, description="A symbol's code")
_DAY = OpenApiParameter("day", OpenApiTypes.DATE, OpenApiParameter.PATH, description="A UTC day, such as 2026-11-29")


class SealSerializer(serializers.Serializer[Any]):
    """The ticks of a symbol in one UTC minute, fixed by a Merkle root and chained to the seal before."""

    symbol = serializers.CharField()
    minute = serializers.DateTimeField()
    count = serializers.IntegerField()
    first_seq = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]
    previous_head = serializers.CharField()
    head = serializers.CharField()


class SealListSerializer(serializers.Serializer[Any]):
    """Seals, ascending by minute; minutes without a tick have none."""

    data = SealSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class ArchiveSerializer(serializers.Serializer[Any]):
    """A symbol's archive of a UTC day; length, hash and root are null until the day is complete."""

    symbol = serializers.CharField()
    day = serializers.DateField()
    complete = serializers.BooleanField()
    seals = serializers.IntegerField()
    ticks = serializers.IntegerField()
    bytes = serializers.IntegerField(allow_null=True)
    sha256 = serializers.CharField(allow_null=True)
    previous_head = serializers.CharField()
    last_head = serializers.CharField()
    root = serializers.CharField(allow_null=True)  # type: ignore[assignment]


class ArchivePageSerializer(serializers.Serializer[Any]):
    """A page of archives, newest day first."""

    data = ArchiveSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class SignatureSerializer(serializers.Serializer[Any]):
    """An Ed25519 signature of the document's canonical JSON without ``signature.value``."""

    algorithm = serializers.CharField()
    key_id = serializers.CharField()
    kind = serializers.CharField()
    public_key = serializers.CharField()
    value = serializers.CharField()


class ManifestArchiveSerializer(serializers.Serializer[Any]):
    """One archive of a day."""

    bytes = serializers.IntegerField(allow_null=True)
    last_head = serializers.CharField()
    previous_head = serializers.CharField()
    root = serializers.CharField()  # type: ignore[assignment]
    seals = serializers.IntegerField()
    sha256 = serializers.CharField(allow_null=True)
    symbol = serializers.CharField()
    ticks = serializers.IntegerField()


class ManifestSerializer(serializers.Serializer[Any]):
    """All archives of a UTC day, signed; of a day that is not complete, what is sealed so far."""

    archives = ManifestArchiveSerializer(many=True)
    complete = serializers.BooleanField()
    day = serializers.DateField()
    root = serializers.CharField()  # type: ignore[assignment]
    signature = SignatureSerializer(allow_null=True)
    signed_at = serializers.DateTimeField()
    version = serializers.CharField()


class TextRenderer(BaseRenderer):
    """Lets clients ask for text; the view answers with a stream of its own."""

    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, accepted: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        """Return text as bytes."""
        return str(data).encode()


class HeadsView(PublicView):
    """The seals of a symbol."""

    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="fairness_heads",
        parameters=[OpenApiParameter("symbol", str, required=True), FROM, TO],
        responses=SealListSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """List seals by minute; the last day unless asked otherwise, at most 1,440 minutes."""
        query = request.query_params
        known_query(query, "symbol", "from", "to")
        if "symbol" not in query:
            raise field_invalid("symbol", "must name a symbol", code="required")
        from_ms, to_ms = instant_query(query, "from"), instant_query(query, "to")
        if to_ms is None:
            to_ms = database_now_ms() if from_ms is None else from_ms + HEADS_MAX * MINUTE_MS
        if from_ms is None:
            from_ms = to_ms - HEADS_MAX * MINUTE_MS
        if not 0 <= to_ms - from_ms <= HEADS_MAX * MINUTE_MS:
            raise field_invalid("from", f"must be at most {HEADS_MAX} minutes before to")
        seals = heads_between(code=query["symbol"], from_ms=from_ms, to_ms=to_ms, limit=HEADS_MAX)
        return Response({"data": [_seal_document(seal) for seal in seals], "next_cursor": None})


class ArchivesView(PublicView):
    """The archives there are."""

    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="fairness_archives",
        parameters=[
            _SYMBOL,
            OpenApiParameter("from", OpenApiTypes.DATE, description="A UTC day, inclusive"),
            OpenApiParameter("to", OpenApiTypes.DATE, description="A UTC day, exclusive"),
            *PAGE,
        ],
        responses=ArchivePageSerializer,
        filters=False,
        auth=[],
    )
    def get(self, request: Request) -> Response:
        """List archives, newest day first, those of the current day included."""
        query = request.query_params
        known_query(query, "symbol", "from", "to", "limit", "cursor")
        page = page_ask(query)
        before = None if page.cursor is None else _cursor_place(page.cursor)
        ask = ArchivesAsk(
            code=query.get("symbol"),
            from_day=_day_query(query, "from", _FIRST_DAY),
            to_day=_day_query(query, "to", _LAST_DAY),
            before_day=None if before is None else before[0],
            before_id=0 if before is None else before[1],
            limit=page.limit + 1,
        )
        rows = archives_list(ask)
        return Response(
            page_document(
                rows,
                limit=page.limit,
                cursor_of=lambda row: Cursor(day_start_ms(row.day), str(row.symbol_id)),
                show=_archive_document,
            )
        )


class DayManifestView(PublicView):
    """What archives a day has, signed."""

    @extend_schema(operation_id="fairness_archives_day", parameters=[_DAY], responses=ManifestSerializer, auth=[])
    def get(self, request: Request, day: str) -> HttpResponse:
        """Show the day's manifest: canonical JSON, byte for byte as it is signed."""
        known_query(request.query_params)
        document = day_manifest(day=_day(day, "day"), now_ms=database_now_ms())
        return HttpResponse(document, content_type="application/json")


class ArchiveView(PublicView):
    """A symbol's archive of a day."""

    renderer_classes = (TextRenderer, MsgspecRenderer)
    problems = {"GET": (503,)}

    @extend_schema(
        operation_id="fairness_archives_text",
        parameters=[
            _DAY,
            OpenApiParameter("symbol", str, OpenApiParameter.PATH, description="A symbol's code"),
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="An ETag of a complete day"),
        ],
        responses={(200, "text/plain"): OpenApiTypes.STR, 304: None},
        auth=[],
    )
    def get(self, request: Request, day: str, symbol: str) -> HttpResponse | StreamingHttpResponse:
        """Download the text; compressed with gzip for a client that accepts it."""
        known_query(request.query_params)
        content = archive_content(day=_day(day, "day"), code=symbol, now_ms=database_now_ms())
        return _download(request._request, content, f"{symbol}-{day}.txt")


def _download(request: HttpRequest, content: ArchiveContent, name: str) -> HttpResponse | StreamingHttpResponse:
    packed = _accepts_gzip(request.headers.get("Accept-Encoding", ""))
    headers = {"Vary": "Accept-Encoding"}
    if content.sha256 is not None:
        headers["ETag"] = f'"{content.sha256}{".gz" if packed else ""}"'
        if _matches(request.headers.get("If-None-Match", ""), headers["ETag"]):
            content.file.close()
            return HttpResponse(status=304, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    source: IO[bytes] = content.file
    if packed:
        headers |= {"Content-Encoding": "gzip", "Content-Length": str(os.fstat(source.fileno()).st_size)}
    else:
        source = gzip.GzipFile(fileobj=content.file, mode="rb")  # type: ignore[assignment]
    blocks: _Blocks | _AsyncBlocks = _Blocks(source, content.file)
    if isinstance(request, ASGIRequest):
        # The answer may take as long as its reader, which must not keep a connection of the pool.
        close_old_connections()
        blocks = _AsyncBlocks(source, content.file)
    return StreamingHttpResponse(blocks, content_type="text/plain; charset=utf-8", headers=headers)


class _FileBlocks:
    """A file that is closed with its answer, also when nobody read it: a HEAD request, or a client that is gone."""

    def __init__(self, source: IO[bytes], file: IO[bytes]) -> None:
        self._source = source
        self._file = file

    def read(self) -> bytes:
        """Return the next block of text; empty at its end."""
        return self._source.read(_BLOCK_BYTES)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Blocks(_FileBlocks):
    """Blocks for a server of WSGI."""

    def __iter__(self) -> Iterator[bytes]:
        try:
            while block := self.read():
                yield block
        finally:
            self.close()


class _AsyncBlocks(_FileBlocks):
    """Blocks for a server of ASGI, which would else take the whole text into memory."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while block := await asyncio.to_thread(self.read):
                yield block
        finally:
            self.close()


def _accepts_gzip(header: str) -> bool:
    """Whether a client says that it takes gzip; one that says nothing takes the text."""
    taken: dict[str, bool] = {}
    for part in header.lower().split(","):
        coding, _, weight = part.replace(" ", "").partition(";q=")
        taken[coding] = weight == "" or weight.strip("0.") != ""
    return taken.get("gzip", taken.get("*", False))


def _matches(header: str, tag: str) -> bool:
    tags = {part.strip().removeprefix("W/") for part in header.split(",")}
    return tag in tags or "*" in tags


def _day_query(query: Mapping[str, str], name: str, default: date) -> date:
    text = query.get(name)
    return default if text is None else _day(text, name)


def _day(text: str, name: str) -> date:
    """Read a day as this API writes it, and no other way that Python knows.

    :raises Problem: ``request.invalid``
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or not _FIRST_DAY <= day < _LAST_DAY:
        raise field_invalid(name, "must be a day such as 2026-11-29")
    return day


def _cursor_place(cursor: Cursor) -> tuple[date, int]:
    """Return the day and the symbol of a cursor.

    :raises Problem: ``request.invalid`` when it is another list's
    """
    if not cursor.id.isdigit() or len(cursor.id) > 9 or not 0 <= cursor.at < day_start_ms(_LAST_DAY):
        raise field_invalid("cursor", "is not a cursor of this list")
    return datetime.fromtimestamp(cursor.at // DAY_MS * DAY_MS // 1000, UTC).date(), int(cursor.id)


def _seal_document(seal: SealRow) -> dict[str, Any]:
    return {
        "symbol": seal.symbol,
        "minute": rfc3339(seal.minute_ms),
        "count": seal.count,
        "first_seq": seal.first_seq,
        "root": seal.root.hex(),
        "previous_head": seal.previous_head.hex(),
        "head": seal.head.hex(),
    }


def _archive_document(row: ArchiveRow) -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "day": row.day.isoformat(),
        "complete": row.complete,
        "seals": row.seals,
        "ticks": row.ticks,
        "bytes": row.length,
        "sha256": row.sha256,
        "previous_head": row.previous_head.hex(),
        "last_head": row.last_head.hex(),
        "root": None if row.root is None else row.root.hex(),
    }
