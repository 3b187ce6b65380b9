"""Keys as the gateway and the HTTP edge know them: read once, watched for their end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.fernet import InvalidToken

from accounts.domain import Address, address_allowed
from ea.ciphers import cipher
from ea.codes import RejectCode, Rejected
from kernel import db
from kernel.clock import DB_NOW_MS_SQL

# Told in the transaction that ends a key.
CHANNEL = "ea_key"

_READ = """
SELECT key.kid, key.secret, key.scopes, key.networks, key.valid_from_ms, key.valid_until_ms, key.revoked_at_ms,
       link.id, link.account, link.server, link.user_id, owner.is_active
FROM ea_key AS key JOIN ea_link AS link ON link.id = key.link_id JOIN accounts_user AS owner ON owner.id = link.user_id
WHERE key.kid = ANY(%(kids)s)"""
_SIBLINGS = "SELECT kid FROM ea_key WHERE link_id = (SELECT link_id FROM ea_key WHERE kid = %(kid)s)"

_ENDED = f"""
SELECT kid FROM ea_key WHERE kid = ANY(%(kids)s::text[])
  AND (revoked_at_ms IS NOT NULL OR valid_until_ms <= {DB_NOW_MS_SQL})"""

_LAST_SEQ = """
SELECT coalesce(max(newest.seq), 0) FROM ea_key AS key CROSS JOIN LATERAL (
    SELECT seq FROM ea_event AS event WHERE event.kid = key.kid AND event.sid = %(sid)s ORDER BY seq DESC LIMIT 1
) AS newest WHERE key.link_id = %(link_id)s"""


@dataclass(frozen=True, slots=True, repr=False)
class LiveKey:
    """A key with its secret in the clear; it has no text form, so that it cannot slip into a log."""

    kid: str
    secret: bytes
    scopes: frozenset[str]
    networks: tuple[str, ...]
    valid_from_ms: int
    valid_until_ms: int | None
    revoked: bool
    link_id: int
    account: str
    server: str
    user_id: UUID

    def check(self, *, address: Address | None, now_ms: int) -> None:
        """Refuse a key that may not be used now, or not from here.

        :raises Rejected: ``key_revoked`` or ``ip_denied``
        """
        if self.revoked or now_ms < self.valid_from_ms:
            raise Rejected(RejectCode.KEY_REVOKED, "the key is not in force")
        if self.valid_until_ms is not None and now_ms >= self.valid_until_ms:
            raise Rejected(RejectCode.KEY_REVOKED, "the key has run out")
        if not address_allowed(address, self.networks):
            raise Rejected(RejectCode.IP_DENIED, "the key may not be used from this address")


def keys_read(kids: Collection[str]) -> dict[str, LiveKey]:
    """Return the keys that there are, by their ids; one of a closed account, or without a secret to read, is none."""
    found = (_key(row) for row in db.rows(_READ, {"kids": list(kids)}))
    return {key.kid: key for key in found if key is not None}


def keys_beside(kid: str) -> dict[str, LiveKey]:
    """Return all keys of the installation that a key belongs to, this one included; nothing for an unknown key."""
    return keys_read([other for (other,) in db.rows(_SIBLINGS, {"kid": kid})])


def keys_ended(kids: Collection[str]) -> set[str]:
    """Return those keys that were revoked or have run out."""
    return {kid for (kid,) in db.rows(_ENDED, {"kids": db.words_array(kids)})} if kids else set()


def last_seq(*, link_id: int, sid: str) -> int:
    """Return the highest number that is logged of an instance of an installation, under whichever key; 0 for none."""
    found = db.row(_LAST_SEQ, {"link_id": link_id, "sid": sid})
    assert found is not None
    return int(found[0])


def _key(row: tuple[Any, ...]) -> LiveKey | None:
    kid, sealed, scopes, networks, valid_from, valid_until, revoked, link_id, account, server, user_id, active = row
    try:
        secret = cipher().decrypt(bytes(sealed))
    except InvalidToken:
        return None
    return LiveKey(
        kid=kid,
        secret=secret,
        scopes=frozenset(scopes),
        networks=tuple(networks),
        valid_from_ms=valid_from,
        valid_until_ms=valid_until,
        revoked=revoked is not None or not active,
        link_id=link_id,
        account=account,
        server=server,
        user_id=user_id,
    )
