"""What signals are judged by, kept in the process for as long as nobody changes it.

Installations, keys, names of symbols, states of trading, limits and stops have one version between them: whoever
changes any of them moves it in the same transaction (triggers of migration 0008). What is due is read together with
the version, and what was kept under another one is read anew. So nothing is out of date, a change holds at once, and
on a platform that nobody changes a signal asks for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ea import statements
from ea.risk import Place, Standing, limits_of_row, standing_of
from ea.risk_limits import Limits
from ea.symbols import symbol_of
from kernel import db
from ledger.selectors import WalletRow, wallets_of

# What clients can make us keep, such as names of strategies, must not grow without an end.
_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What a key stands for: a row of ``statements.TERMS``.

    :param ledger: where its installation's signals go unless they say otherwise
    :param wallet_id: the tournament's wallet, where that ledger is one
    :param ledgers: where the key may trade
    :param document: its limits as they are stored
    """

    user_id: UUID
    ledger: str
    wallet_id: UUID | None
    prefix: str
    suffix: str
    scopes: list[str]
    ledgers: list[str]
    document: str | None

    @property
    def limits(self) -> Limits:
        """Return its limits; one document that cannot be read must not hold up the keys that were read with it."""
        return limits_of_row(self.document)


class Kept:
    """What was read under one version.

    Several lanes use it at once: what two of them read at the same time is the same, and the later one stays.
    """

    def __init__(self, version: int | None) -> None:
        self.version = version
        self._terms: dict[str, Terms] = {}
        # What no rule knows is ''.
        self._symbols: dict[tuple[int, str, str, str], str] = {}
        self._standings: dict[Place, Standing] = {}
        self._wallets: dict[UUID, list[WalletRow]] = {}

    def terms_read(self, kids: Iterable[str]) -> None:
        """Read what is not kept yet of some keys, by one statement."""
        missing = set(kids) - self._terms.keys()
        if missing:
            found = db.rows(statements.TERMS, {"kids": list(missing)})
            _put(self._terms, {kid: Terms(*rest) for kid, *rest in found})

    def terms(self, kid: str) -> Terms:
        """Return what a key stands for."""
        found = self._terms.get(kid)
        if found is None:
            self.terms_read([kid])
            found = self._terms[kid]
        return found

    def symbol(self, link_id: int, raw: str, terms: Terms) -> str | None:
        """Return our code of a broker's symbol, or None when no rule knows it."""
        asked = (link_id, raw, terms.prefix, terms.suffix)
        found = self._symbols.get(asked)
        if found is None:
            found = symbol_of(link_id=link_id, raw=raw, prefix=terms.prefix, suffix=terms.suffix) or ""
            _put(self._symbols, {asked: found})
        return found or None

    def standing(self, place: Place) -> Standing:
        """Return the strictest trading state of the places that a signal touches, and the stops of its installation."""
        found = self._standings.get(place)
        if found is None:
            found = standing_of(place)
            _put(self._standings, {place: found})
        return found

    def wallets(self, user_id: UUID) -> list[WalletRow]:
        """Return a user's wallets as they were once: new ones may be missing, and balances are old."""
        return self._wallets.get(user_id) or self.wallets_now(user_id)

    def wallets_now(self, user_id: UUID) -> list[WalletRow]:
        """Return a user's wallets as they are."""
        found = wallets_of(user_id)
        _put(self._wallets, {user_id: found})
        return found


_newest = Kept(None)


def kept_of(version: int | None) -> Kept:
    """Return what was kept under a version, which may be nothing; without a version nothing is kept for long."""
    global _newest  # noqa: PLW0603 - one process keeps one
    kept = _newest
    if version is None or kept.version != version:
        kept = _newest = Kept(version)
    return kept


def forget() -> None:
    """Read everything anew."""
    kept_of(None)


def version_now() -> int | None:
    """Return the version of now."""
    found = db.row(statements.VERSION)
    return None if found is None else int(found[0])


def _put(kept: dict[Any, Any], found: dict[Any, Any]) -> None:
    if len(kept) >= _MAX:
        kept.clear()
    kept.update(found)
