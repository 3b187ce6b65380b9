"""Where TradingView posts alerts: the same log, executor and codes as for signed events, with the status of HTTP.

Whoever posts does not read what is answered, so what is refused is told to the owner among the alerts of the hook.
"""

from __future__ import annotations

import time
from http import HTTPStatus

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.callers import address_of
from ea.codes import RejectCode, Rejected
from ea.hooks import LiveHook, Noted, alert_log, hook_found
from ea.log import DATABASE_AWAY, EventLog
from ea.replies import Ack, encoded, reject_frame
from ea.services import alert_add, alerted_since
from ea.tradingview import BODY_BYTES_MAX
from kernel.clock import wall_ms
from kernel.errors import Problem, not_found
from kernel.http import rate_check
from kernel.metrics import count

RETRY_MS = 1_000
ALERT_EVERY_MS = 60_000
_STATUS = {
    RejectCode.BAD_FRAME: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RejectCode.BAD_SIG: HTTPStatus.FORBIDDEN,
    RejectCode.IP_DENIED: HTTPStatus.FORBIDDEN,
    RejectCode.ID_CONFLICT: HTTPStatus.CONFLICT,
    RejectCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    RejectCode.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
}

_log = EventLog()


@csrf_exempt
@require_POST
def hook_view(request: HttpRequest, token: str) -> HttpResponse:
    """Log an alert and answer its acknowledgement; one that was logged before is told again what was told then.

    :raises Problem: ``not_found`` for a token that is unknown or revoked, whatever the body
    """
    recv_us = time.time_ns() // 1_000
    try:
        hook = hook_found(token)
    except DATABASE_AWAY:
        return _refused(Rejected(RejectCode.OVERLOADED, "the log cannot be read"))
    if hook is None:
        count("ea_hooks_unknown")
        raise not_found()
    try:
        return _acknowledged(_noted(request, hook, recv_us))
    except Rejected as rejected:
        return _refused(rejected, hook=hook, address=str(address_of(request) or ""))
    except DATABASE_AWAY:
        count("ea_log_failures")
        return _refused(Rejected(RejectCode.OVERLOADED, "the log cannot be written"))


def _noted(request: HttpRequest, hook: LiveHook, recv_us: int) -> Noted:
    hook.check(address=address_of(request))
    try:
        rate_check("ea_hook", hook.kid)
    except Problem:
        raise Rejected(RejectCode.RATE_LIMITED, "too many alerts") from None
    body = request.read(BODY_BYTES_MAX + 1)
    if len(body) > BODY_BYTES_MAX:
        raise Rejected(RejectCode.BAD_FRAME, f"an alert has at most {BODY_BYTES_MAX} bytes")
    return alert_log(_log, hook, body, recv_us=recv_us)


def _acknowledged(noted: Noted) -> HttpResponse:
    count("ea_hook_alerts", status="duplicate" if noted.repeated else "accepted")
    ack = Ack(
        event_id=str(noted.event_id),
        seq=noted.seq,
        status="duplicate" if noted.repeated else "accepted",
        order_ids=[] if noted.order_id is None else [str(noted.order_id)],
        t_recv_us=noted.recv_us,
        t_log_us=noted.log_us,
        server_ms=wall_ms(),
    )
    return HttpResponse(encoded(ack), content_type="application/json")


def _refused(rejected: Rejected, *, hook: LiveHook | None = None, address: str = "") -> HttpResponse:
    code = rejected.code
    count("ea_frames_rejected", code=code.value)
    if hook is not None:
        _tell_owner(hook, rejected, address)
    frame = msgspec.structs.replace(reject_frame(rejected, retry_after_ms=RETRY_MS), server_ms=wall_ms())
    status = _STATUS.get(code, HTTPStatus.BAD_REQUEST)
    response = HttpResponse(encoded(frame), status=status, content_type="application/json")
    if frame.retry_after_ms:
        response["Retry-After"] = str(max(1, frame.retry_after_ms // 1_000))
    return response


def _tell_owner(hook: LiveHook, rejected: Rejected, address: str) -> None:
    """Put on record what the owner should know, the same thing once a minute at most."""
    kind, now_ms = rejected.code.value, wall_ms()
    try:
        if alerted_since(kid=hook.kid, kind=kind, since_ms=now_ms - ALERT_EVERY_MS):
            count("ea_alerts_repeated", kind=kind)
            return
        alert_add(kind=kind, link_id=hook.link_id, kid=hook.kid, address=address, detail=rejected.detail, now_ms=now_ms)
    except DATABASE_AWAY:
        count("ea_alerts_lost", kind=kind)
