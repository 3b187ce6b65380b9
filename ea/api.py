"""The bridge over HTTP: for terminals that have no sockets. The same payloads, the same log, the same answers.

The answer to an event is its acknowledgement or its refusal, with the status 200 either way: what counts is in it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Annotated

import msgspec
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts.callers import address_of
from accounts.domain import Address
from ea.catalogue import catalogue
from ea.codes import RejectCode, Rejected
from ea.domain import OFFSET_MS_MAX
from ea.framing import PAYLOAD_BYTES_MAX
from ea.instructions import params_acked
from ea.keys import LiveKey, keys_read
from ea.log import DATABASE_AWAY, Arrived, EventLog, Logged
from ea.news import frames_after, no_to_go_on, params_in_force
from ea.pairing import pairing_redeem
from ea.presence import asked_over_http
from ea.protocol import (
    EVENTS_MAX,
    Mac,
    ParamsAck,
    Word40,
    Word64,
    message_decoded,
    payloads_listed,
    signal_decoded,
    signature_holds,
)
from ea.replies import Ack, Noted, Reject, encoded, reject_frame
from ea.services import alert_add, alerted_since
from kernel.clock import wall_ms
from kernel.errors import Problem, request_invalid
from kernel.http import rate_check
from kernel.metrics import count

BODY_BYTES_MAX = EVENTS_MAX * PAYLOAD_BYTES_MAX
RETRY_MS = 1_000
ALERT_EVERY_MS = 60_000
WAIT_MS_MAX = 2_000
_LOOK_EVERY_S = 0.2
# Who waits keeps a thread that others trade by: beyond these a request is answered at once, whoever asks.
_waiting = BoundedSemaphore(2)
_AUDITED = frozenset({RejectCode.BAD_SIG, RejectCode.ACCT_MISMATCH, RejectCode.IP_DENIED, RejectCode.KEY_REVOKED})

_PARAMS_ACK = b'{"type":"params_ack",'

_log = EventLog()
Reply = Ack | Reject | Noted


@dataclass(frozen=True, slots=True)
class _Asked:
    """What holds for all events of a request."""

    address: Address | None
    offset_ms: int
    recv_us: int


@csrf_exempt
@require_POST
def events_view(request: HttpRequest) -> HttpResponse:
    """Log one event, or an array of up to 50, and answer each in its place.

    ``?offset_ms=`` is what the client adds to its clock to get ours, from the ``server_ms`` of the last answer. That
    parameters are in force is said here, too.
    """
    recv_us = time.time_ns() // 1_000
    try:
        asked = _Asked(address_of(request), _offset(request), recv_us)
        payloads, several = payloads_listed(request.body)
    except Rejected as rejected:
        return _answer([_refused(rejected)], several=False)
    try:
        replies = _replied(payloads, asked)
    except DATABASE_AWAY:
        count("ea_log_failures")
        replies = [_refused(Rejected(RejectCode.OVERLOADED, "the log cannot be written"))] * len(payloads)
    return _answer(replies, several=several)


@require_GET
def commands_view(request: HttpRequest) -> HttpResponse:
    """Answer the frames of an installation after a number, waiting up to 2 s for the first unless others wait already.

    The query is signed like a payload: ``?kid=..&after=..&t_ms=..&sig=<HMAC of what stands in front of &sig=>``. With
    ``params=1`` the parameters in force come first, whatever ``after`` says.
    """
    try:
        key = _reader_key(request)
    except Rejected as rejected:
        return _answer([_refused(rejected)], several=False)
    asked_over_http(key, now_ms=wall_ms())
    after = no_to_go_on(link_id=key.link_id, after=_number(request.GET.get("after")))
    wait_ms = min(_number(request.GET.get("wait_ms")) or 0, WAIT_MS_MAX)
    frames = params_in_force(key.link_id).until(after) if request.GET.get("params") == "1" else []
    frames += frames_after(link_id=key.link_id, after=after)
    if not frames and wait_ms and _waiting.acquire(blocking=False):
        try:
            frames = _frames_awaited(link_id=key.link_id, after=after, wait_ms=wait_ms)
        finally:
            _waiting.release()
    body = b'{"server_ms":%d,"after":%d,"frames":[%b]}' % (
        wall_ms(),
        max([after, *(no for no, _ in frames)]),
        b",".join(frame.encode() for _, frame in frames),
    )
    return HttpResponse(body, content_type="application/json")


@require_GET
def symbols_view(request: HttpRequest) -> HttpResponse:
    """Answer the symbols with their states and terms, the installation's names for them, and what the key may do.

    The query is signed as that of commands is: ``?kid=..&t_ms=..&sig=..``.
    """
    try:
        key = _reader_key(request)
        rate_check("reads", f"ea:{key.kid}")
    except Rejected as rejected:
        return _answer([_refused(rejected)], several=False)
    except Problem:
        return _answer([_refused(Rejected(RejectCode.RATE_LIMITED, "too many requests"))], several=False)
    return HttpResponse(encoded(catalogue(key, now_ms=wall_ms())), content_type="application/json")


class _PairingAsked(msgspec.Struct, forbid_unknown_fields=True):
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    account: Word40
    server: Word64


@csrf_exempt
@require_POST
def pair_view(request: HttpRequest) -> HttpResponse:
    """Make the key that a pairing code stands for, and tell its secret, this once.

    Refusals are problem documents. Who guesses is slowed down by address; each wrong guess is counted.

    :raises Problem: ``rate.limited``, ``request.invalid``, or as :func:`ea.pairing.pairing_redeem` does
    """
    where = address_of(request)
    headers = rate_check("pairing", str(where or ""))
    try:
        asked = msgspec.json.decode(request.body, type=_PairingAsked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise request_invalid(detail=str(error)[:200]) from None
    try:
        key, secret = pairing_redeem(
            code=asked.code, account=asked.account, server=asked.server, address=str(where or ""), now_ms=wall_ms()
        )
    except Problem as problem:
        count("ea_pairings_refused", code=problem.code)
        raise
    answer = {"kid": key.kid, "secret": secret, "tcp_port": settings.EA_PORT, "ws_port": settings.EA_PORT + 1}
    response = HttpResponse(encoded(answer), content_type="application/json", headers=headers)
    response["Cache-Control"] = "no-store"
    return response


def _frames_awaited(*, link_id: int, after: int, wait_ms: int) -> list[tuple[int, str]]:
    until_s = time.monotonic() + wait_ms / 1_000
    frames: list[tuple[int, str]] = []
    while not frames and time.monotonic() < until_s:
        # Others may have the connection while nothing happens.
        connection.close()
        time.sleep(_LOOK_EVERY_S)
        frames = frames_after(link_id=link_id, after=after)
    return frames


def _replied(payloads: list[bytes], asked: _Asked) -> list[Reply]:
    """Judge each payload, log what holds in one commit, and answer all in their order."""
    replies: dict[int, Reply] = {}
    arrived: dict[int, Arrived] = {}
    kids: dict[str, LiveKey | None] = {}
    for place, payload in enumerate(payloads):
        try:
            if payload.startswith(_PARAMS_ACK):
                replies[place] = _params_noted(payload, asked)
                continue
            arrived[place] = _arrived(payload, asked, kids)
        except Rejected as rejected:
            replies[place] = _refused(rejected)
    logged = _log.append(list(arrived.values())) if arrived else []
    for (place, event), result in zip(arrived.items(), logged, strict=True):
        replies[place] = _acknowledged(event, result)
    for kid in {event.signal.kid for event in arrived.values()}:
        if (key := kids[kid]) is not None:
            asked_over_http(key, now_ms=wall_ms())
    if _log.has_repeats:
        # Only who sends again waits for that.
        _repeats_write()
    return [replies[place] for place in range(len(payloads))]


def _arrived(payload: bytes, asked: _Asked, kids: dict[str, LiveKey | None]) -> Arrived:
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Rejected(RejectCode.BAD_FRAME, f"a payload has at most {PAYLOAD_BYTES_MAX} bytes")
    signal = signal_decoded(payload)
    if signal.kid not in kids:
        kids[signal.kid] = keys_read([signal.kid]).get(signal.kid)
    key = kids[signal.kid]
    try:
        _checked(key, payload, asked)
        assert key is not None
        if (signal.acct, signal.server) != (key.account, key.server):
            raise Rejected(RejectCode.ACCT_MISMATCH, "the key belongs to another account or server")
        rate_check("ea", key.kid)
    except Problem:
        raise Rejected(RejectCode.RATE_LIMITED, "too many signals", event_id=signal.event_id) from None
    except Rejected as rejected:
        if key is not None and rejected.code in _AUDITED:
            _alert(key, asked.address, rejected)
        raise Rejected(rejected.code, rejected.detail, event_id=signal.event_id) from None
    return Arrived(
        signal=signal,
        raw=payload,
        sha256=hashlib.sha256(payload).digest(),
        link_id=key.link_id,
        recv_us=asked.recv_us,
        offset_ms=asked.offset_ms,
    )


def _repeats_write() -> None:
    try:
        _log.repeats_write()
    except DATABASE_AWAY:
        # What is in the log is acknowledged all the same; the next batch takes them along.
        count("ea_repeats_delayed")


def _params_noted(payload: bytes, asked: _Asked) -> Noted:
    """Put down that a client has put parameters in force.

    :raises Rejected: as for a signal
    """
    ack = message_decoded(payload)
    if not isinstance(ack, ParamsAck) or ack.kid is None:
        raise Rejected(RejectCode.SCHEMA, "over HTTP a params_ack names its key")
    key = keys_read([ack.kid]).get(ack.kid)
    try:
        _checked(key, payload, asked)
        assert key is not None
        rate_check("ea", key.kid)
    except Problem:
        raise Rejected(RejectCode.RATE_LIMITED, "too many frames") from None
    except Rejected as rejected:
        if key is not None and rejected.code in _AUDITED:
            _alert(key, asked.address, rejected)
        raise
    params_acked(link_id=key.link_id, kid=key.kid, strategy=ack.strategy, rev=ack.rev, now_ms=wall_ms())
    return Noted(server_ms=wall_ms())


def _checked(key: LiveKey | None, payload: bytes, asked: _Asked) -> None:
    if key is None:
        raise Rejected(RejectCode.UNKNOWN_KEY, "there is no such key")
    if not signature_holds(payload, Mac(key.secret)):
        raise Rejected(RejectCode.BAD_SIG, "the signature does not hold")
    key.check(address=asked.address, now_ms=wall_ms())


def _reader_key(request: HttpRequest) -> LiveKey:
    """Return the key that signed a query a moment ago.

    :raises Rejected: when there is none
    """
    query, _, sig = request.META.get("QUERY_STRING", "").partition("&sig=")
    kid = request.GET.get("kid", "")
    key = keys_read([kid]).get(kid) if 0 < len(kid) <= 32 and "\0" not in kid else None
    if key is None:
        raise Rejected(RejectCode.UNKNOWN_KEY, "there is no such key")
    wanted = hmac.digest(key.secret, query.encode("latin-1", "replace"), "sha256").hex()
    sent_ms = _number(request.GET.get("t_ms")) or 0
    if not hmac.compare_digest(wanted.encode(), sig.encode()) or abs(wall_ms() - sent_ms) > OFFSET_MS_MAX:
        raise Rejected(RejectCode.BAD_SIG, "the query is not signed with this key within the last minute")
    key.check(address=address_of(request), now_ms=wall_ms())
    return key


def _offset(request: HttpRequest) -> int:
    text = request.GET.get("offset_ms", "0")
    try:
        offset_ms = int(text) if len(text) <= 12 else OFFSET_MS_MAX + 1
    except ValueError:
        raise Rejected(RejectCode.SCHEMA, "offset_ms is a whole number of milliseconds") from None
    if abs(offset_ms) > OFFSET_MS_MAX:
        raise Rejected(RejectCode.SCHEMA, f"a clock may be off by {OFFSET_MS_MAX} ms at most; set it right")
    return offset_ms


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 18 else None


def _acknowledged(event: Arrived, result: Logged) -> Reply:
    signal = event.signal
    if result.conflict is not None:
        return _refused(Rejected(result.conflict, result.detail, event_id=signal.event_id))
    return Ack(
        event_id=signal.event_id,
        seq=signal.seq,
        status="duplicate" if result.duplicate else "accepted",
        order_ids=[] if result.order_id is None else [str(result.order_id)],
        t_recv_us=result.recv_us,
        t_log_us=result.log_us,
        server_ms=wall_ms(),
    )


def _refused(rejected: Rejected) -> Reject:
    count("ea_frames_rejected", code=rejected.code.value)
    frame = reject_frame(rejected, retry_after_ms=RETRY_MS)
    return msgspec.structs.replace(frame, server_ms=wall_ms())


def _alert(key: LiveKey, address: Address | None, rejected: Rejected) -> None:
    """Put on record what a key's owner should know, the same thing once a minute at most."""
    kind, now_ms = rejected.code.value, wall_ms()
    if alerted_since(kid=key.kid, kind=kind, since_ms=now_ms - ALERT_EVERY_MS):
        count("ea_alerts_repeated", kind=kind)
        return
    where = str(address or "")
    alert_add(kind=kind, link_id=key.link_id, kid=key.kid, address=where, detail=rejected.detail, now_ms=now_ms)


def _answer(replies: list[Reply], *, several: bool) -> HttpResponse:
    return HttpResponse(encoded(replies if several else replies[0]), content_type="application/json")
