"""Bodies of order requests: the contract's example, and ways to get it wrong."""

from __future__ import annotations

import json
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
        "+1",
        ".5",
        "1.",
        "1e3",
        "1E3",
        "NaN",
        "Infinity",
        "0x10",
        " 10",
        "10 ",
        "10\n",
        "1,000.00",
        "1" * 16,
        "١٠",
        str(2**63),
    ],
    "duration_s": [None, "60", 60.0, 1e3, True, [60]],
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

MALFORMED: list[tuple[str, bytes]] = list(_RAW.items()) + [
    (f"{field} is {json.dumps(value)[:24]}", _with(**{field: value}))
    for field, values in _WRONG_VALUES.items()
    for value in values
]
