"""Who is calling: an API token or a browser session, with what it may do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from accounts import errors
from accounts.domain import SCOPES, Address, address_allowed, client_address
from kernel.clock import DB_NOW_MS_SQL
from kernel.db import row, run

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_ALL_SCOPES = frozenset(SCOPES)
_TOKEN_LENGTH_MAX = 128
_LAST_USED_EVERY_MS = 60_000

_TOKEN_BY_HASH = f"""
SELECT t.id, t.user_id, t.scopes, t.ledgers, t.ips, t.expires_at_ms, t.revoked_at_ms, t.last_used_at_ms,
       u.is_active, u.banned_at_ms IS NOT NULL, t.stake_day_cap IS NOT NULL OR t.loss_day_cap IS NOT NULL,
       {DB_NOW_MS_SQL}
FROM accounts_apitoken t JOIN accounts_user u ON u.id = t.user_id
WHERE t.secret_hash = %s
"""
_MARK_USED = """
UPDATE accounts_apitoken SET last_used_at_ms = %s
WHERE id = %s AND (last_used_at_ms IS NULL OR last_used_at_ms < %s)
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller and its rights.

    :param ledgers: the only ledgers it may see and use; None for all
    :param rate_key: what rate limits count by
    :param capped: whether its token has caps of its own
    """

    user_id: UUID
    source: str
    scopes: frozenset[str]
    ledgers: frozenset[str] | None
    token_id: UUID | None
    rate_key: str
    banned: bool
    capped: bool = False

    def require_scope(self, scope: str) -> None:
        """Refuse a caller without the scope.

        :raises Problem: ``auth.scope``
        """
        if scope not in self.scopes:
            raise errors.scope_missing(scope)

    def may_see(self, ledger: str | None) -> bool:
        """Whether wallets, orders and events of a ledger are shown; None stands for events without one."""
        return self.ledgers is None or ledger in self.ledgers


class _CsrfCheck(CsrfViewMiddleware):
    """Django's CSRF rules, telling the reason instead of answering a page."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def caller_of(request: HttpRequest, *, scope: str) -> Caller:
    """Return the caller of a request; an ``Authorization`` header wins and makes cookies meaningless.

    A plain view that calls this must be ``csrf_exempt``: the check is made here, for sessions only.

    :raises Problem: ``auth.required``, ``auth.invalid_token`` (401); ``auth.csrf``, ``auth.scope``,
        ``auth.address``, ``account.banned`` (403)
    """
    authorization = request.headers.get("Authorization")
    if authorization is None:
        caller = _session_caller(request)
    else:
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer":
            raise errors.token_invalid()
        caller = token_caller(token.strip(), address=address_of(request))
    caller.require_scope(scope)
    return caller


def token_caller(token: str, *, address: Address | None) -> Caller:
    """Return the caller that a token stands for, by one query.

    The secret never meets a comparison: its hash is the key of an index, and a digest tells an
    attacker who measures time nothing about the secret.

    :raises Problem: ``auth.invalid_token`` (401), ``auth.address`` or ``account.banned`` (403)
    """
    if not token.startswith("fs_") or len(token) > _TOKEN_LENGTH_MAX or not token.isascii():
        raise errors.token_invalid()
    found = row(_TOKEN_BY_HASH, [token_hash(token)])
    if found is None:
        raise errors.token_invalid()
    token_id, user_id, scopes, ledgers, ips, expires, revoked, last_used, is_active, banned = found[:10]
    capped, now_ms = found[10:]
    if not is_active or revoked is not None or (expires is not None and expires <= now_ms):
        raise errors.token_invalid()
    if not address_allowed(address, ips):
        raise errors.address_forbidden()
    if banned:
        raise errors.account_banned()
    if last_used is None or last_used < now_ms - _LAST_USED_EVERY_MS:
        run(_MARK_USED, [now_ms, token_id, now_ms - _LAST_USED_EVERY_MS])
    return Caller(
        user_id=user_id,
        source="api",
        scopes=frozenset(scopes),
        ledgers=None if ledgers is None else frozenset(ledgers),
        token_id=token_id,
        rate_key=f"token:{token_id}",
        banned=False,
        capped=capped,
    )


def token_hash(token: str) -> bytes:
    """Return what is stored of a token; its 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("ascii")).digest()


def address_of(request: HttpRequest) -> Address | None:
    """Return the address of the client, believing ``X-Forwarded-For`` of trusted proxies only."""
    return client_address(
        request.META.get("REMOTE_ADDR"),
        request.META.get("HTTP_X_FORWARDED_FOR", ""),
        settings.TRUSTED_PROXIES,
    )


def _session_caller(request: HttpRequest) -> Caller:
    user = request.user
    if not user.is_authenticated:
        raise errors.auth_required()
    if request.method not in _SAFE_METHODS:
        _csrf_enforce(request)
    return Caller(
        user_id=user.pk,
        source="web",
        scopes=_ALL_SCOPES,
        ledgers=None,
        token_id=None,
        rate_key=f"session:{hashlib.sha256((request.session.session_key or '').encode()).hexdigest()[:32]}",
        banned=user.is_banned,
    )


def _csrf_enforce(request: HttpRequest) -> None:
    check = _CsrfCheck(lambda _request: HttpResponse())
    check.process_request(request)
    reason = check.process_view(request, _unnamed_view, (), {})
    if reason is not None:
        raise errors.csrf_failed(str(reason))


def _unnamed_view(request: HttpRequest) -> HttpResponse:
    """Stand for the view in Django's check, which only asks whether it is exempt."""
    raise NotImplementedError
