"""Who opens a socket: the origin of the page, and the session behind its cookie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

from accounts.domain import Address, address_parsed, client_address, network_parsed

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Handshake:
    """What the opening request of a socket tells."""

    origin: str | None
    host: str
    secure: bool
    session_key: str | None
    address: Address | None


@dataclass(frozen=True, slots=True)
class SessionUser:
    """The user of a session, and what the session depends on."""

    user_id: UUID
    session_key: str
    password_mark: str
    banned: bool


def handshake_of(scope: Mapping[str, Any]) -> Handshake:
    """Read the opening request; proxies' headers count only from our own proxies."""
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    found = dict(headers)
    peer = scope["client"][0] if scope.get("client") else None
    secure = scope.get("scheme") in {"wss", "https"}
    if _is_trusted(peer) and "x-forwarded-proto" in found:
        secure = found["x-forwarded-proto"].strip().lower() in {"https", "wss"}
    forwarded = ",".join(value for name, value in headers if name == "x-forwarded-for")
    return Handshake(
        origin=found.get("origin"),
        host=found.get("host", ""),
        secure=secure,
        session_key=_session_key(value for name, value in headers if name == "cookie"),
        address=client_address(peer, forwarded, settings.TRUSTED_PROXIES),
    )


def origin_is_own(handshake: Handshake) -> bool:
    """Decide whether the page that opens the socket is ours: same scheme, host and port, nothing less.

    A host outside ``ALLOWED_HOSTS`` is never ours: a rebound name would make any page look like our own.
    """
    name, _ = split_domain_port(handshake.host)
    if not name or not validate_host(name, settings.ALLOWED_HOSTS):
        return False
    if handshake.origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    own = _origin_parts(f"{'https' if handshake.secure else 'http'}://{handshake.host}")
    return own is not None and _origin_parts(handshake.origin or "") == own


def session_user(session_key: str) -> SessionUser | None:
    """Return the user of a session as Django finds it for a request, or None."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    if not user.is_authenticated or not user.is_active or request.session.session_key != session_key:
        return None
    # Changed when the password is: the watch over open sockets compares it.
    mark = hashlib.sha256(user.password.encode()).hexdigest()
    return SessionUser(user_id=user.pk, session_key=session_key, password_mark=mark, banned=user.is_banned)


def _is_trusted(peer: str | None) -> bool:
    address = address_parsed(peer or "")
    return address is not None and any(address in network_parsed(text) for text in settings.TRUSTED_PROXIES)


def _origin_parts(origin: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path or parts.query or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]


def _session_key(cookies: Iterable[str]) -> str | None:
    for text in cookies:
        try:
            found = SimpleCookie(text).get(settings.SESSION_COOKIE_NAME)
        except CookieError:
            continue
        if found is not None:
            return found.value
    return None
