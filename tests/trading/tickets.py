"""Bodies of order requests: the contract's example, and ways to get it wrong."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

BODY: dict[str, Any] = {
    "ledger": "demo",
    "symbol": "EURUSD",
    "direction": "up",
    "stake": "10.00",
    "duration_s": 60,
    "client_order_id": "a1",
}


def without(*names: str) -> dict[str, Any]:
    """Return the example without some of its fields."""
    return {name: value for name, value in BODY.items() if name not in names}


def _with(**changes: Any) -> bytes:
    return json.dumps(BODY | changes).encode()


_WRONG_VALUES: dict[str, list[Any]] = {
    "client_order_id": [None, 1, "", "x" * 65, "with space", "é", "a\n", "a\0", ["a1"]],
    "symbol": [None, 1, "", [], "\0", "EUR\0USD", "\ud800"],
    "direction": [None, 1, True, ["up"]],
    "stake": [
        None,
        10,
        10.0,
        True,
        [1],
        {},
        "",
        "-1",
        "-0",
        "-0.00",
        "+1",
        ".5",
        "1.",
        "1e3",
        "1E3",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        " 10",
        "10 ",
        "10\n",
        "1,000.00",
        "1" * 16,
        "١٠",
        str(2**63),
        "1." + "0" * 40,
        "\u00a010",
        "10\0",
    ],
    "duration_s": [None, "60", 60.0, 1e3, -0.0, True, [60], {"s": 60}],
    "expires_at": [None, 0, "", "now", "2030-13-01T00:00:00Z", "2030-01-01", ["2030-01-01T00:00:00Z"]],
    "wallet_id": [None, 1, "", "null", [], "0" * 32 + "\n"],
    "ledger": [None, "", "margin", "DEMO", 1],
    "min_payout_percent": [None, "80", 80.5, -1, 101, True],
}

_RAW: dict[str, bytes] = {
    "no body": b"",
    "not JSON": b"stake=10",
    "an array": b"[" + _with() + b"]",
    "a number": b"1",
    "null": b"null",
    "a truncated object": _with()[:-1],
    "two objects": _with() + _with(),
    "a key twice": _with()[:-1] + b', "stake": "1.00"}',
    "a bare NaN": _with()[:-1] + b', "min_payout_percent": NaN}',
    "a bare Infinity": _with()[:-1] + b', "min_payout_percent": Infinity}',
    "a bare minus Infinity": _with()[:-1] + b', "min_payout_percent": -Infinity}',
    "1e3 as a number": _with().replace(b'"10.00"', b"1e3"),
    "negative zero as a number": _with().replace(b'"10.00"', b"-0"),
    "2^63 as a number": _with().replace(b'"10.00"', b"9223372036854775808"),
    "a number of many digits": _with().replace(b"60", b"6" * 5_000),
    "a leading zero": _with().replace(b"60", b"060"),
    "a plus sign": _with().replace(b"60", b"+60"),
    "hexadecimal": _with().replace(b"60", b"0x3c"),
    "a text": json.dumps(_with().decode()).encode(),
    "true": b"true",
    "an empty array": b"[]",
    "an empty object": b"{}",
    "a byte order mark": b"\xef\xbb\xbf" + _with(),
    "UTF-32": _with().decode().encode("utf-32"),
    "Latin-1": _with().replace(b"EURUSD", b"EUR\xe9"),
    "an overlong encoding": _with().replace(b"EURUSD", b"EUR\xc0\xaf"),
    "a surrogate in UTF-8": _with().replace(b"EURUSD", b"EUR\xed\xa0\x80"),
    "a bare NUL": _with().replace(b"EURUSD", b"EUR\x00"),
    "a bare line break in a text": _with().replace(b"EURUSD", b"EUR\nUSD"),
    "trailing garbage": _with() + b" garbage",
    "a trailing NUL": _with() + b"\x00",
    "a trailing comma": _with()[:-1] + b",}",
    "a comment": _with()[:-1] + b"/* all of it */}",
    "a line comment": b"// order\n" + _with(),
    "single quotes": _with().replace(b'"', b"'"),
    "bare names": _with().replace(b'"stake"', b"stake"),
    "an unknown escape": _with().replace(b"EURUSD", b"EUR\\xUSD"),
    "form encoding": b"ledger=demo&symbol=EURUSD&direction=up&stake=10.00&duration_s=60&client_order_id=a1",
    "a form of parts": b'--x\r\nContent-Disposition: form-data; name="stake"\r\n\r\n10.00\r\n--x--\r\n',
    "XML": b"<order><stake>10.00</stake></order>",
    "nested arrays": b"[" * 10_000 + b"]" * 10_000,
    "nested arrays without an end": b"[" * 10_000,
    "a key of another case": _with().replace(b'"stake"', b'"Stake"'),
    "a key twice by an escape": _with()[:-1] + b', "st\\u0061ke": "1.00"}',
    "a prototype": _with(__proto__={"stake": "1.00"}),
    "a huge exponent": _with()[:-1] + b', "min_payout_percent": 1e999}',
    "broken UTF-8": _with().replace(b"EURUSD", b"EUR\xff\xfe"),
    "UTF-16": _with().decode().encode("utf-16"),
    "deep nesting": b'{"ledger":' * 20_000 + b"1" + b"}" * 20_000,
    "a large body": _with()[:-1] + b', "padding": "' + b"x" * 200_000 + b'"}',
    "an unknown field": _with(leverage=10),
    "both ledger and wallet_id": _with(wallet_id="00000000-0000-0000-0000-000000000005"),
    "neither ledger nor wallet_id": json.dumps(without("ledger")).encode(),
    "both duration_s and expires_at": _with(expires_at="2030-01-01T00:00:00Z"),
    "neither duration_s nor expires_at": json.dumps(without("duration_s")).encode(),
    "a drift without an expected price": _with(max_price_drift="0.1"),
    "an expected price without a drift": _with(expected_price="1.1"),
    "a drift as a number": _with(max_price_drift=0.1, expected_price="1.1"),
    "a negative drift": _with(max_price_drift="-0.1", expected_price="1.1"),
    "a wallet_id that is no UUID": json.dumps(without("ledger") | {"wallet_id": "mine"}).encode(),
    "an expiry without an offset": json.dumps(without("duration_s") | {"expires_at": "2030-01-01T00:00:00"}).encode(),
    "an expiry as a number": json.dumps(without("duration_s") | {"expires_at": 1_893_456_000}).encode(),
}

# A field that stands for another one replaces it: what is wrong is its value.
_INSTEAD = {"wallet_id": "ledger", "expires_at": "duration_s"}
MALFORMED: list[tuple[str, bytes]] = list(_RAW.items()) + [
    (
        f"{field} is {json.dumps(value)[:24]}",
        json.dumps(without(_INSTEAD.get(field, "")) | {field: value}).encode(),
    )
    for field, values in _WRONG_VALUES.items()
    for value in values
]


@dataclass(frozen=True)
class Sending:
    """A body as it goes over the wire; in several chunks it has no length in front."""

    name: str
    chunks: tuple[bytes, ...]
    content_type: str | None
    status: int
    code: str


_JSON = "application/json"
_MEGABYTE = _with()[:-1] + b', "padding": "' + b"x" * 1_000_000 + b'"}'
SENDINGS = [
    Sending("no content type", (_with(),), None, 415, "media_type.unsupported"),
    Sending("an empty content type", (_with(),), "", 415, "media_type.unsupported"),
    Sending("text", (_with(),), "text/plain", 415, "media_type.unsupported"),
    Sending("a form", (_RAW["form encoding"],), "application/x-www-form-urlencoded", 415, "media_type.unsupported"),
    Sending(
        "a form of parts", (_RAW["a form of parts"],), "multipart/form-data; boundary=x", 415, "media_type.unsupported"
    ),
    Sending("a form without its boundary", (b"x",), "multipart/form-data", 415, "media_type.unsupported"),
    Sending("another JSON", (_with(),), "application/merge-patch+json", 415, "media_type.unsupported"),
    Sending("UTF-16, declared", (_RAW["UTF-16"],), f"{_JSON}; charset=utf-16", 400, "request.invalid"),
    Sending("an unknown charset", (_with()[:-1],), f"{_JSON}; charset=nonsense", 400, "request.invalid"),
    Sending("compressed", (gzip.compress(_with()),), _JSON, 400, "request.invalid"),
    Sending("a megabyte", (_MEGABYTE,), _JSON, 413, "request.too_large"),
    Sending(
        "a megabyte in chunks",
        tuple(_MEGABYTE[at : at + 50_000] for at in range(0, 1_000_000, 50_000)),
        _JSON,
        413,
        "request.too_large",
    ),
    Sending("chunks cut short", (_with()[:20], _with()[20:-1]), _JSON, 400, "request.invalid"),
    Sending("chunks with more than an order", (_with(), b"{}"), _JSON, 400, "request.invalid"),
    Sending("no chunks at all", (b"", b""), _JSON, 400, "request.invalid"),
]
