"""The JSON schema of every frame of the bridge: the source of ``docs/ea/schema.json``."""

from __future__ import annotations

from typing import get_args

import msgspec

from ea import protocol
from ea.replies import frames_told
from ea.tradingview import Alert

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{name}"


def schema_document() -> str:
    """Return one document: a payload of a client, of the server, or an alert of TradingView."""
    client, server = list(get_args(protocol.Message)), frames_told()
    kinds = [*client, *server, Alert]
    shapes, parts = msgspec.json.schema_components(kinds, ref_template=_REF)
    named = dict(zip((kind.__name__ for kind in kinds), shapes, strict=True))
    document = {
        "$schema": _DIALECT,
        "title": "What clients and the bridge say to each other",
        "description": "Every payload of a client ends in the member sig. Each frame is one of the forms below.",
        "anyOf": [{"$ref": "#/$defs/client"}, {"$ref": "#/$defs/server"}, {"$ref": "#/$defs/alert"}],
        "$defs": {
            "client": {"anyOf": [named[kind.__name__] for kind in client]},
            "server": {"anyOf": [named[kind.__name__] for kind in server]},
            "alert": named["Alert"],
            **dict(sorted(parts.items())),
        },
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
