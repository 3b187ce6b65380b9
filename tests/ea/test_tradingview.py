"""Alerts of TradingView as values: which are taken, which event each is, and what it asks for."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ea.codes import RejectCode, Rejected
from ea.protocol import ExpiryAfter, ExpiryAt, Stake, Target
from ea.symbols import candidates, without_exchange
from ea.tradingview import Alert, alert_decoded, alert_signal, event_id_of, is_hook, signal_logged
from kernel.clock import parse_rfc3339
from tests.ea.alerts import ALERT, alert
from tests.ea.events import SIGNAL, payload

KID = "hook_0123456789abcdef"
BAR_MS = parse_rfc3339("2026-11-30T09:00:00Z")


def signal(**changes: Any) -> Any:
    return alert_signal(alert(**changes), kid=KID, seq=7)


def identity(**changes: Any) -> UUID:
    return event_id_of(alert_decoded(alert(**changes)), kid=KID)


def refusal(body: bytes) -> RejectCode:
    with pytest.raises(Rejected) as refused:
        alert_signal(body, kid=KID, seq=1)
    return refused.value.code


def test_an_alert_stands_for_one_signal() -> None:
    """ea 5: the signal is made from the bytes and the hook alone, so that the log can be read again."""
    made = signal()
    assert (made.kid, made.sid, made.seq, made.source, made.action) == (KID, KID, 7, "tradingview", "open")
    assert (made.symbol, made.direction, made.strategy, made.ref_price) == ("FX:EURUSD", "call", "breakout", "1.08512")
    assert made.stake == Stake(mode="fixed", value="10.00")
    assert made.expiry == ExpiryAfter(s=60)
    assert (made.t_evt_ms, made.t_sig_ms) == (BAR_MS + 5_999, BAR_MS + 5_999)
    assert made.target is None
    assert made.event_id == str(identity())
    assert UUID(made.event_id).version == 5
    assert signal_logged(alert(), kid=KID, seq=7) == made


def test_who_wrote_an_event_says_how_it_is_read() -> None:
    """ea 6.1: replay needs the key's id and the bytes."""
    raw = payload(SIGNAL)
    assert signal_logged(raw, kid="ea_1", seq=1).event_id == SIGNAL["event_id"]
    with pytest.raises(Rejected):
        signal_logged(raw, kid=KID, seq=1)
    with pytest.raises(Rejected):
        signal_logged(alert(), kid="ea_1", seq=1)
    assert is_hook(KID)
    assert not is_hook("ea_hook_1")


@pytest.mark.parametrize(
    ("changes", "member", "value"),
    [
        ({"action": "sell"}, "direction", "put"),
        ({"action": "long"}, "direction", "call"),
        ({"action": "short"}, "direction", "put"),
        ({"stake": 10.25}, "stake", Stake(mode="fixed", value="10.25")),
        ({"stake": "2", "stake_mode": "percent"}, "stake", Stake(mode="percent", value="2")),
        ({"expiry_s": "90"}, "expiry", ExpiryAfter(s=90)),
        ({"expiry_s": ..., "expires_at": BAR_MS + 60_000}, "expiry", ExpiryAt(at_ms=BAR_MS + 60_000)),
        ({"expiry_s": None, "expires_at": "2026-11-30T09:01:00Z"}, "expiry", ExpiryAt(at_ms=BAR_MS + 60_000)),
        ({"valid_ms": "2500"}, "valid_ms", 2_500),
        ({"price": 1.1, "max_drift": "0.0005"}, "max_drift", "0.0005"),
        ({"min_payout": 80}, "min_payout", "80"),
        ({"ledger": "demo"}, "target", Target(ledger="demo")),
        ({"ledger": "tournament", "tournament": "t1"}, "target", Target(ledger="tournament", id="t1")),
        ({"timenow": BAR_MS + 5_000}, "t_sig_ms", BAR_MS + 5_000),
        ({"timenow": str(BAR_MS + 5_000)}, "t_sig_ms", BAR_MS + 5_000),
        ({"timenow": "2026-11-30T10:00:05.250+01:00"}, "t_sig_ms", BAR_MS + 5_250),
        ({"time": ..., "id": "a"}, "t_evt_ms", BAR_MS + 5_999),
        ({"action": "reverse"}, "action", "reverse"),
        ({"action": "close_all", "stake": ..., "expiry_s": ..., "ticker": ...}, "direction", None),
    ],
)
def test_figures_are_numbers_or_text(changes: dict[str, Any], member: str, value: object) -> None:
    """ea 5: what a template makes of placeholders is taken either way, and decimals keep their digits."""
    assert getattr(signal(**changes), member) == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"buy EURUSD", "bad_json"),
        (b'{"action": "buy", "price": NaN}', "bad_json"),
        (b"[" * 10_000, "bad_json"),
        (b'{"strategy":"\xff"}', "bad_json"),
        (b"[]", "schema"),
        (b'"{}"', "schema"),
        (alert(v=2), "unsupported_version"),
        (alert(unknown=1), "schema"),
        (alert(action="hold"), "schema"),
        (alert(action="{{strategy.order.action}}"), "schema"),
        (alert(timenow=...), "schema"),
        (alert(timenow=None), "schema"),
        (alert(timenow="{{timenow}}"), "schema"),
        (alert(timenow="2026-11-30T09:00:05"), "schema"),
        (alert(timenow=-1), "schema"),
        (alert(timenow=10**14), "schema"),
        (alert(time=...), "schema"),
        (alert(ticker=...), "schema"),
        (alert(ticker="x" * 33), "schema"),
        (alert(stake=...), "schema"),
        (alert(stake="1e3"), "schema"),
        (alert(stake=-1), "schema"),
        (alert(stake={"value": 1}), "schema"),
        (alert(expiry_s=4), "schema"),
        (alert(expiry_s=86_401), "schema"),
        (alert(expiry_s=60.5), "schema"),
        (alert(expires_at=BAR_MS), "schema"),
        (alert(valid_ms=199), "schema"),
        (alert(max_drift="0.1", price=...), "schema"),
        (alert(ledger="tournament"), "schema"),
        (alert(tournament="t1"), "schema"),
        (alert(meta=[1]), "schema"),
        (alert(meta={"a": "x" * 1_024}), "schema"),
        (alert(strategy="a\nb"), "schema"),
    ],
)
def test_what_is_no_alert(body: bytes, code: str) -> None:
    """ea 5: refused with a code of the wire, and never logged."""
    assert refusal(body) == code


def test_text_with_json_in_it_is_taken() -> None:
    """TradingView sends a message with a mark or blanks around it as plain text."""
    assert alert_decoded(b"\xef\xbb\xbf \r\n" + alert() + b"\n") == alert_decoded(alert())


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"price": "1.2", "timenow": "2026-11-30T09:00:59Z", "stake": "99"}, True),
        ({"action": "long"}, True),
        ({"time": BAR_MS}, True),
        ({"action": "sell"}, False),
        ({"strategy": "other"}, False),
        ({"ticker": "EURUSD"}, False),
        ({"time": "2026-11-30T09:01:00Z"}, False),
        ({"id": "a"}, False),
    ],
)
def test_the_occasion_makes_the_id(changes: dict[str, Any], same: bool) -> None:
    """ea 5: UUIDv5 of the hook and the alert's id, or of strategy, ticker, bar time and action."""
    assert (identity(**changes) == identity()) is same
    assert identity(id="a", **ALERT | {"action": "sell"}) == identity(id="a")
    assert event_id_of(alert_decoded(alert()), kid="hook_other") != identity()


def test_an_id_cannot_look_like_a_bar() -> None:
    """I-34: two occasions never become one event because their parts run together."""
    named = json.dumps(["bar", "breakout", "FX:EURUSD", BAR_MS, "open", "call"], separators=(",", ":"))
    assert identity(id=named[:64]) != identity()
    assert identity(strategy='a","b', ticker="c") != identity(strategy="a", ticker='b","c')


@pytest.mark.parametrize(
    ("raw", "bare"),
    [
        ("BINANCE:BTCUSDT", "BTCUSDT"),
        ("CME_MINI:ES1!", "ES1!"),
        ("NYMEX_DL:CL1!", "CL1!"),
        ("BTCUSDT", "BTCUSDT"),
        ("BINANCE:", "BINANCE:"),
        (":X", ":X"),
    ],
)
def test_an_exchange_in_front_is_no_part_of_a_name(raw: str, bare: str) -> None:
    """ea 2.3: BINANCE:BTCUSDT is BTCUSDT."""
    assert without_exchange(raw) == bare
    assert raw in candidates(raw)
    assert bare in candidates(raw)


def test_decorations_behind_an_exchange_are_dropped_too() -> None:
    """ea 2.3: the broker's prefix and suffix are looked for behind the exchange."""
    assert "EURUSD" in candidates("OANDA:EURUSD.x", suffix=".x")
    assert "BTCUSDT" in candidates("BINANCE:BTCUSDT.P")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(Alert.__struct_fields__), JSON, max_size=4))
def test_any_member_is_taken_or_refused(changes: dict[str, Any]) -> None:
    """F-21: no value of any member does anything but a signal or a code."""
    body = json.dumps(ALERT | changes).encode()
    try:
        made = alert_signal(body, kid=KID, seq=1)
    except Rejected:
        return
    assert alert_signal(body, kid=KID, seq=1) == made


def test_any_bytes_are_taken_or_refused() -> None:
    """F-21: 20,000 alerts with bytes changed, cut and doubled."""
    dice = random.Random(21)
    whole = alert(secret="s", id="i", valid_ms=500, meta={"a": "é"}, ledger="demo")
    taken = 0
    for _ in range(20_000):
        body = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(body))
            body[at : at + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
        try:
            alert_signal(bytes(body), kid=KID, seq=1)
        except Rejected:
            continue
        taken += 1
    assert 0 < taken < 20_000
