"""Alerts of TradingView: what a body holds, which event it is, and the signal that it stands for. Pure.

TradingView can neither sign nor count. So a hook, which is a key that signs nothing, says whose alert it is; the id of
its event is made from what names the occasion; and the signal is made anew from the logged bytes by whoever needs it:
the same bytes of the same hook are the same signal for ever.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ea.codes import RejectCode, Rejected
from ea.protocol import (
    VERSION,
    Currency,
    ExpiryAfter,
    ExpiryAt,
    Label,
    Signal,
    Stake,
    Target,
    Word32,
    Word40,
    Word64,
    signal_checked,
    signal_decoded,
)
from kernel.clock import parse_rfc3339

# Ids of keys that belong to hooks begin so, and no others do: the database sees to it.
HOOK_PREFIX = "hook_"
SOURCE: Literal["tradingview"] = "tradingview"
BODY_BYTES_MAX = 16_384
_UNSIGNED = "0" * 64

Word = Literal["call", "buy", "long", "up", "put", "sell", "short", "down", "cancel", "close_all", "reverse"]
Action = Literal["open", "cancel", "close_all", "reverse"]
_CALLS, _PUTS = frozenset({"call", "buy", "long", "up"}), frozenset({"put", "sell", "short", "down"})

_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?\Z", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,13}\Z", re.ASCII)
_WHOLE_SECONDS = re.compile(r".{17}\d\d(?:[Zz]|[+-]\d\d:\d\d)\Z")
_INSTANT_MAX = 9_999_999_999_999

# A number, or the same as text: which of the two a template makes is up to its author. Floats would lose digits.
_DECIMAL_SCHEMA = {"anyOf": [{"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,12})?$"}, {"type": "number"}]}
_WHOLE_SCHEMA = {"anyOf": [{"type": "string", "pattern": r"^[0-9]{1,13}$"}, {"type": "integer", "minimum": 0}]}
_INSTANT_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0}]}
Amount = Annotated[Raw, Meta(extra_json_schema=_DECIMAL_SCHEMA)] | UnsetType
Whole = Annotated[Raw, Meta(extra_json_schema=_WHOLE_SCHEMA)] | UnsetType
Moment = Annotated[Raw, Meta(extra_json_schema=_INSTANT_SCHEMA)]
Figure = Raw | UnsetType


class Alert(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The message of an alert. Figures are numbers or text, instants RFC 3339 or Unix milliseconds.

    :param id: names the occasion; without it strategy, ticker, bar and action together do
    :param action: what ``{{strategy.order.action}}`` or ``{{strategy.market_position}}`` says, or a word of ours
    :param time: when the bar began, ``{{time}}``
    :param timenow: when the alert fired, ``{{timenow}}``
    """

    v: int = VERSION
    secret: Word64 | None = None
    id: Word64 | None = None
    strategy: Label = ""
    ticker: Word32 | None = None
    action: Word
    time: Moment | UnsetType = UNSET
    timenow: Moment
    price: Amount = UNSET
    stake: Amount = UNSET
    stake_mode: Literal["fixed", "percent", "lots"] = "fixed"
    currency: Currency | None = None
    expiry_s: Whole = UNSET
    expires_at: Moment | UnsetType = UNSET
    valid_ms: Whole = UNSET
    min_payout: Amount = UNSET
    max_drift: Amount = UNSET
    ledger: Literal["real", "demo", "tournament"] | None = None
    tournament: Word40 | None = None
    meta: Raw | UnsetType = UNSET


_decoder = msgspec.json.Decoder(Alert)


def is_hook(kid: str) -> bool:
    """Whether a key belongs to a hook, so that its events hold alerts instead of signed payloads."""
    return kid.startswith(HOOK_PREFIX)


def alert_decoded(body: bytes) -> Alert:
    """Return the alert that a body holds; TradingView sends JSON, or text with JSON in it.

    :raises Rejected: ``bad_json``, ``unsupported_version`` or ``schema``
    """
    text = _stripped(body)
    try:
        alert = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _undecoded(text, error) from None
    if alert.v != VERSION:
        raise Rejected(RejectCode.UNSUPPORTED_VERSION, f"this server speaks version {VERSION}, not {alert.v}")
    return alert


def event_id_of(alert: Alert, *, kid: str) -> UUID:
    """Return the id of an alert's event: a UUIDv5 of the hook and what names the occasion.

    :raises Rejected: ``schema`` when nothing names it
    """
    action, direction = _meant(alert.action)
    bar_ms = _instant(alert.time, "time")
    if alert.id is None and bar_ms is None:
        raise Rejected(RejectCode.SCHEMA, "an alert needs an id, or the time of its bar")
    named: list[object] = ["id", alert.id]
    if alert.id is None:
        named = ["bar", alert.strategy, alert.ticker, bar_ms, action, direction]
    return uuid5(uuid5(NAMESPACE_OID, kid), msgspec.json.encode(named).decode())


def alert_signal(body: bytes, *, kid: str, seq: int) -> Signal:
    """Return the signal that an alert stands for.

    :param kid: the hook's key
    :param seq: the number that the server gave to the event
    :raises Rejected: ``bad_json``, ``unsupported_version`` or ``schema``
    """
    alert = alert_decoded(body)
    action, direction = _meant(alert.action)
    fired_ms = _instant(alert.timenow, "timenow")
    if fired_ms is None:
        raise Rejected(RejectCode.SCHEMA, "an alert needs timenow")
    signal = Signal(
        v=VERSION,
        event_id=str(event_id_of(alert, kid=kid)),
        kid=kid,
        sid=kid,
        seq=seq,
        source=SOURCE,
        # A hook belongs to its installation by its address: the alert names no account.
        acct=kid,
        server=SOURCE,
        strategy=alert.strategy,
        action=action,
        symbol=alert.ticker,
        direction=direction,
        stake=_stake(alert),
        currency=alert.currency,
        expiry=_expiry(alert),
        ref_price=_decimal(alert.price, "price"),
        t_evt_ms=fired_ms + unseen_ms(alert),
        t_sig_ms=fired_ms + unseen_ms(alert),
        valid_ms=_whole(alert.valid_ms, "valid_ms", least=200, most=60_000),
        min_payout=_decimal(alert.min_payout, "min_payout"),
        max_drift=_decimal(alert.max_drift, "max_drift"),
        target=_target(alert),
        meta=UNSET if alert.meta is UNSET or _text(alert.meta) is None else alert.meta,
        sig=_UNSIGNED,
    )
    signal_checked(signal)
    return signal


def unseen_ms(alert: Alert) -> int:
    """Return what a clock of whole seconds leaves out: an alert fires somewhere within the second that it names."""
    return 999 if _WHOLE_SECONDS.match(_text(alert.timenow) or "") else 0


def signal_logged(raw: bytes, *, kid: str, seq: int) -> Signal:
    """Return the signal of a logged event: what was signed, or what an alert stands for.

    :raises Rejected: the log holds what the schema of today refuses
    """
    return alert_signal(raw, kid=kid, seq=seq) if is_hook(kid) else signal_decoded(raw)


def _meant(word: Word) -> tuple[Action, Literal["call", "put"] | None]:
    if word in _CALLS:
        return "open", "call"
    if word in _PUTS:
        return "open", "put"
    return word, None  # type: ignore[return-value]


def _stake(alert: Alert) -> Stake | None:
    value = _decimal(alert.stake, "stake")
    return None if value is None else Stake(mode=alert.stake_mode, value=value)


def _expiry(alert: Alert) -> ExpiryAfter | ExpiryAt | None:
    after_s = _whole(alert.expiry_s, "expiry_s", least=5, most=86_400)
    at_ms = _instant(alert.expires_at, "expires_at")
    if after_s is not None and at_ms is not None:
        raise Rejected(RejectCode.SCHEMA, "give one of expiry_s and expires_at")
    if after_s is not None:
        return ExpiryAfter(s=after_s)
    return None if at_ms is None else ExpiryAt(at_ms=at_ms)


def _target(alert: Alert) -> Target | None:
    if (alert.ledger == "tournament") is (alert.tournament is None):
        raise Rejected(RejectCode.SCHEMA, "the ledger tournament is named by its wallet, and no other one is")
    return None if alert.ledger is None else Target(ledger=alert.ledger, id=alert.tournament)


def _text(figure: Figure) -> str | None:
    """Return the digits of a number, or a text; None where there is nothing.

    :raises Rejected: ``schema`` for anything else
    """
    raw = b"null" if figure is UNSET else bytes(figure)
    if raw == b"null":
        return None
    try:
        return str(msgspec.json.decode(raw, type=str)) if raw.startswith(b'"') else raw.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Rejected(RejectCode.BAD_JSON, "the alert is no JSON in UTF-8") from None


def _decimal(figure: Figure, name: str) -> str | None:
    text = _text(figure)
    if text is not None and not _DECIMAL.match(text):
        raise Rejected(RejectCode.SCHEMA, f"{name} is a decimal number of at most 12 and 12 digits")
    return text


def _whole(figure: Figure, name: str, *, least: int, most: int) -> int | None:
    text = _text(figure)
    if text is None:
        return None
    number = int(text) if _WHOLE.match(text) else -1
    if not least <= number <= most:
        raise Rejected(RejectCode.SCHEMA, f"{name} is a whole number from {least} to {most}")
    return number


def _instant(figure: Figure, name: str) -> int | None:
    """Return Unix milliseconds."""
    text = _text(figure)
    if text is None:
        return None
    try:
        at_ms = int(text) if _WHOLE.match(text) else parse_rfc3339(text)
    except (ValueError, OverflowError):
        at_ms = -1
    if not 0 <= at_ms <= _INSTANT_MAX:
        raise Rejected(RejectCode.SCHEMA, f"{name} is an instant such as 2026-11-30T09:30:00Z, or Unix milliseconds")
    return at_ms


def _stripped(body: bytes) -> bytes:
    return body.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")


def _undecoded(text: bytes, error: Exception) -> Rejected:
    """Say why an alert could not be read; the schema fails before the end is reached, so the rest is looked at here."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        return Rejected(RejectCode.BAD_JSON, _printable(f"the alert is no JSON: {fault}"))
    return Rejected(RejectCode.SCHEMA, _printable(str(error)))


def _printable(text: str) -> str:
    """Return what a decoder says, short and without characters that a log or a table could not hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:200]
