"""Hooks: made and revoked by the owner of an installation, found by their tokens, and their alerts logged.

An alert comes without a number: it gets the one behind the newest of its hook in the log. Two that come at once are
given the same, the log takes one of them, and the other takes the next: so numbers have no gaps, nothing but the log
keeps them, and whoever has the higher number came later.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from django.db import DatabaseError, transaction

from accounts.domain import Address, address_allowed, network_parsed
from ea import tradingview
from ea.codes import RejectCode, Rejected
from ea.domain import LEDGERS
from ea.log import Arrived, EventLog
from ea.models import Hook, Key, Link
from ea.services import key_revoke
from kernel import db
from kernel.clock import DB_NOW_MS_SQL
from kernel.metrics import count

LIVE_HOOKS_MAX = 10
NETWORKS_MAX = 50
# Each time somebody else was faster, so a hook has to be written by as many at once for this to be too few.
_ATTEMPTS = 12
_ID = re.compile(rf"{tradingview.HOOK_PREFIX}[0-9a-f]{{16}}\Z", re.ASCII)

# The token never meets a comparison: its digest is the key of an index, which tells who measures time nothing.
_FIND = f"""
SELECT key.kid, key.link_id, key.networks, hook.secret_sha256
FROM ea_hook AS hook JOIN ea_key AS key ON key.kid = hook.key_id JOIN ea_link AS link ON link.id = key.link_id
JOIN accounts_user AS owner ON owner.id = link.user_id
WHERE hook.token_sha256 = %(token_sha256)s AND owner.is_active AND key.revoked_at_ms IS NULL
  AND (key.valid_until_ms IS NULL OR key.valid_until_ms > {DB_NOW_MS_SQL})"""

# Where a hook's numbers stand, and what is in the log of one event.
_STANDS = """
SELECT coalesce((SELECT seq FROM ea_event WHERE kid = %(kid)s AND sid = %(kid)s ORDER BY seq DESC LIMIT 1), 0),
       event.seq, event.sha256, event.recv_us, event.log_us, o.order_id
FROM (SELECT 1) AS always
LEFT JOIN ea_event AS event ON event.event_id = %(event_id)s
LEFT JOIN ea_order AS o ON o.event_id = event.id"""

_OF_LINK = """
SELECT key.kid, hook.name, key.ledgers, key.networks, hook.secret_sha256 IS NOT NULL, key.made_at_ms,
       key.revoked_at_ms, newest.log_us / 1000
FROM ea_key AS key JOIN ea_hook AS hook ON hook.key_id = key.kid
LEFT JOIN LATERAL (
    SELECT log_us FROM ea_event WHERE kid = key.kid AND sid = key.kid ORDER BY seq DESC LIMIT 1
) AS newest ON true
WHERE key.link_id = %(link_id)s
  AND (%(kid)s::text IS NULL OR (key.made_at_ms, key.kid) < (%(made_at_ms)s::bigint, %(kid)s))
ORDER BY key.made_at_ms DESC, key.kid DESC LIMIT %(limit)s"""


@dataclass(frozen=True, slots=True, repr=False)
class LiveHook:
    """A hook in force; it has no text form, so that its digest cannot slip into a log."""

    kid: str
    link_id: int
    networks: tuple[str, ...]
    secret_sha256: bytes | None

    def check(self, *, address: Address | None) -> None:
        """Refuse an address that the owner has not named.

        :raises Rejected: ``ip_denied``
        """
        if not address_allowed(address, self.networks):
            raise Rejected(RejectCode.IP_DENIED, "the hook may not be used from this address")

    def secret_check(self, secret: str | None) -> None:
        """Refuse an alert that does not say the hook's secret; takes the same time for every wrong one.

        :raises Rejected: ``bad_sig``
        """
        if self.secret_sha256 is not None and not hmac.compare_digest(digest(secret or ""), self.secret_sha256):
            raise Rejected(RejectCode.BAD_SIG, "the secret in the alert is not the hook's")


@dataclass(frozen=True, slots=True)
class HookRow:
    """A hook as its owner sees it; ``last_used_at_ms`` is when its newest alert was logged."""

    kid: str
    name: str
    ledgers: list[str]
    networks: list[str]
    has_secret: bool
    made_at_ms: int
    revoked_at_ms: int | None
    last_used_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Noted:
    """What is in the log of an alert; instants in Unix microseconds.

    :param repeated: it was there before
    """

    event_id: UUID
    seq: int
    repeated: bool
    recv_us: int
    log_us: int
    order_id: UUID | None


def digest(text: str) -> bytes:
    """Return what is stored of a token or a secret."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@transaction.atomic
def hook_create(
    *,
    link_id: int,
    now_ms: int,
    name: str = "",
    ledgers: Collection[str] = ("demo",),
    networks: Sequence[str] = (),
    with_secret: bool = False,
) -> tuple[Hook, str, str | None]:
    """Make a hook of an installation and return it with its token and its secret, which are shown this once.

    :param networks: addresses or CIDR networks that alerts may come from; none for everywhere
    :param with_secret: whether each alert has to say a secret besides
    :raises ValueError: with what is wrong with the terms, or when the installation has too many hooks in force
    """
    if not ledgers or set(ledgers) - set(LEDGERS):
        raise ValueError(f"ledgers must be some of {', '.join(LEDGERS)}")
    if len(networks) > NETWORKS_MAX:
        raise ValueError(f"at most {NETWORKS_MAX} addresses")
    Link.objects.select_for_update(no_key=True).get(pk=link_id)
    live = Hook.objects.filter(key__link_id=link_id, key__revoked_at_ms__isnull=True).count()
    if live >= LIVE_HOOKS_MAX:
        raise ValueError(f"an installation has at most {LIVE_HOOKS_MAX} hooks in force; revoke one")
    token, secret = secrets.token_urlsafe(32), secrets.token_urlsafe(18) if with_secret else None
    key = Key.objects.create(
        kid=f"{tradingview.HOOK_PREFIX}{secrets.token_hex(8)}",
        link_id=link_id,
        secret=b"",
        scopes=["source"],
        ledgers=sorted(set(ledgers), key=LEDGERS.index),
        networks=[str(network_parsed(text)) for text in networks],
        made_at_ms=now_ms,
        valid_from_ms=now_ms,
        valid_until_ms=None,
    )
    hook = Hook.objects.create(
        key=key,
        name=name,
        token_sha256=digest(token),
        secret_sha256=None if secret is None else digest(secret),
    )
    return hook, token, secret


def hook_revoke(*, link_id: int, kid: str, now_ms: int) -> bool:
    """End a hook of an installation at once and for ever.

    :return: whether the installation has such a hook
    """
    if not _ID.match(kid) or not Hook.objects.filter(pk=kid, key__link_id=link_id).exists():
        return False
    key_revoke(kid=kid, now_ms=now_ms)
    return True


def hooks_of(link_id: int, *, limit: int | None = None, behind: tuple[int, str] | None = None) -> list[HookRow]:
    """Return the hooks of an installation, revoked ones included, newest first.

    :param behind: ``made_at_ms`` and ``kid`` of the hook after which to begin
    """
    made_at_ms, kid = behind or (None, None)
    asked = {"link_id": link_id, "made_at_ms": made_at_ms, "kid": kid, "limit": limit}
    return [HookRow(*row) for row in db.rows(_OF_LINK, asked)]


def hook_found(token: str) -> LiveHook | None:
    """Return the hook in force that a token stands for; nobody is told why there is none."""
    row = db.row(_FIND, {"token_sha256": digest(token)})
    if row is None:
        return None
    kid, link_id, networks, secret_sha256 = row
    return LiveHook(kid, link_id, tuple(networks), None if secret_sha256 is None else bytes(secret_sha256))


def alert_log(log: EventLog, hook: LiveHook, body: bytes, *, recv_us: int) -> Noted:
    """Log an alert, or find it in the log, and return what is there.

    :raises Rejected: what the body holds is no alert of this hook, or ``id_conflict``: another one has its ``id``
    :raises DatabaseError: nothing may be acknowledged
    """
    alert = tradingview.alert_decoded(body)
    hook.secret_check(alert.secret)
    signal = tradingview.alert_signal(body, kid=hook.kid, seq=1)
    event_id, sha256 = UUID(signal.event_id), hashlib.sha256(body).digest()
    newest, _ = _stands(hook.kid, event_id)
    for _ in range(_ATTEMPTS):
        arrived = Arrived(
            signal=msgspec.structs.replace(signal, seq=newest + 1),
            raw=body,
            sha256=sha256,
            link_id=hook.link_id,
            recv_us=recv_us,
            rtt_us=2_000 * tradingview.unseen_ms(alert),
        )
        (logged,) = log.append([arrived])
        if not logged.duplicate and logged.conflict is None:
            return Noted(event_id, newest + 1, False, logged.recv_us, logged.log_us, None)
        if logged.conflict is RejectCode.SCHEMA:
            raise Rejected(RejectCode.SCHEMA, "the log does not hold such an alert", event_id=signal.event_id)
        # Either the event is there, or another one was given the number meanwhile.
        newest, stored = _stands(hook.kid, event_id)
        if stored[0] is not None:
            return _repeated(alert, event_id, sha256, stored)
        count("ea_hook_numbers_taken")
    raise DatabaseError("the hook is written by others faster than by us")


def _stands(kid: str, event_id: UUID) -> tuple[int, Sequence[Any]]:
    """Return the newest number of a hook, and what is in the log of an event."""
    row = db.row(_STANDS, {"kid": kid, "event_id": event_id})
    assert row is not None
    return int(row[0]), row[1:]


def _repeated(alert: tradingview.Alert, event_id: UUID, sha256: bytes, stored: Sequence[Any]) -> Noted:
    """Return what was logged first. A bar's further alerts of one kind are the same event whatever price they tell."""
    seq, stored_sha256, recv_us, log_us, order_id = stored
    if alert.id is not None and bytes(stored_sha256) != sha256:
        detail = "another alert has this id: let it name the occasion, such as the time of the bar"
        raise Rejected(RejectCode.ID_CONFLICT, detail, event_id=str(event_id))
    return Noted(event_id, seq, True, recv_us, log_us, order_id)
