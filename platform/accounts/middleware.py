"""Guards at the door: limits on log-in, the second factor of staff, and when a session was last seen."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

import structlog
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.internal.httpkit import HTTP_USER_AGENT_MAX_LENGTH
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from redis.exceptions import RedisError

from accounts import errors
from accounts.callers import address_of
from kernel.errors import Problem
from kernel.http import problem_response, rate_check
from kernel.metrics import count

log = structlog.get_logger(__name__)

_LOG_IN_PATHS = frozenset({"/_allauth/browser/v1/auth/login", "/admin/login/"})
_GUARDED_PATHS = ("/_allauth/", "/admin/login/")
_RETRY_AFTER_S = "60"
# A user sees in the list of sessions when each was last used; to the minute is exact enough.
_SEEN_EVERY_S = 60
_SEEN_KEPT = 20_000

GetResponse = Callable[[HttpRequest], HttpResponse]


class LogInGuardMiddleware:
    """Limit log-in attempts by address, and refuse log-ins while nobody can count them."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Count an attempt before anything is looked up; tell the limit in the answer."""
        if not request.path.startswith(_GUARDED_PATHS):
            return self.get_response(request)
        headers: dict[str, str] = {}
        if request.method == "POST" and request.path in _LOG_IN_PATHS:
            try:
                headers = rate_check("log_in", f"address:{address_of(request)}")
            except Problem as refused:
                return problem_response(refused, request)
        response = self.get_response(request)
        for name, value in headers.items():
            response[name] = value
        if response.status_code == 429 and "Retry-After" not in response:
            response["Retry-After"] = _RETRY_AFTER_S
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 503 when the store that counts attempts is away: guessing must never be free."""
        if not isinstance(error, RedisError) or not request.path.startswith(_GUARDED_PATHS):
            return None
        count("log_in_unavailable")
        log.warning("log_in_unavailable", error=str(error))
        return problem_response(errors.log_in_unavailable(), request)


class StaffSecondFactorMiddleware:
    """Keep staff out of the admin until their session has passed a second factor."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refuse sessions of staff that a password alone has opened."""
        if settings.REQUIRE_STAFF_MFA and request.path.startswith("/admin/") and _lacks_factor(request):
            count("staff_second_factor_missing")
            return render(request, "accounts/second_factor.html", status=403)
        return self.get_response(request)


class SessionSeenMiddleware:
    """Note when and from where a session was last used, once a minute; the library's own writes with each request."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Write the session's line when it is due; programs with tokens have no session."""
        key = request.session.session_key
        if key and "HTTP_AUTHORIZATION" not in request.META and self._is_due(key) and request.user.is_authenticated:
            # A connection that tells no address is no reason to refuse what the session may do.
            with suppress(PermissionDenied):
                _session_seen(request, key)
        return self.get_response(request)

    def _is_due(self, key: str) -> bool:
        """Whether a minute has passed in this process; asking counts as having written."""
        now_s = time.monotonic()
        with self._lock:
            last_s = self._seen.get(key)
            if last_s is not None and now_s - last_s < _SEEN_EVERY_S:
                return False
            self._seen[key] = now_s
            self._seen.move_to_end(key)
            if len(self._seen) > _SEEN_KEPT:
                self._seen.popitem(last=False)
        return True


def _session_seen(request: HttpRequest, key: str) -> None:
    """Write where a session is used from now, by one statement; its line is there since the log-in."""
    seen = {
        "last_seen_at": timezone.now(),
        "ip": get_adapter().get_client_ip(request),
        "user_agent": request.headers.get("User-Agent", "")[:HTTP_USER_AGENT_MAX_LENGTH],
    }
    if not UserSession.objects.filter(session_key=key).update(**seen):
        UserSession.objects.create_from_request(request)


def _lacks_factor(request: HttpRequest) -> bool:
    user = request.user
    if not user.is_authenticated:
        return False
    return all(record.get("method") != "mfa" for record in get_authentication_records(request, user))
