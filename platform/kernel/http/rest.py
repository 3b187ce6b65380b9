"""REST framework's parser and renderer with our rules of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

_encoder = msgspec.json.Encoder()


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object names a field twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def strict_json_loads(body: bytes) -> Any:
    """Decode JSON as RFC 8259 means it: UTF-8, no NaN, no field named twice.

    :raises ValueError: on anything else, nesting beyond the interpreter's bound included
    """
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_refuse_constant,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


class StrictJSONParser(BaseParser):
    """Parse request bodies; what is not strict JSON is refused."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the decoded body.

        :raises ParseError: with what is wrong
        """
        try:
            return strict_json_loads(stream.read())
        except ValueError as error:
            raise ParseError(str(error)) from error


class MsgspecRenderer(BaseRenderer):
    """Render answers with msgspec."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the JSON bytes of an answer; an answer without data has no body."""
        return b"" if data is None else _encoder.encode(data)
