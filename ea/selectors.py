"""What an owner sees of the bridge, and what operators do."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.callers import Caller
from ea import statements
from ea.models import Instruction, Key, Link, ParamsAck, Presence
from ea.tradingview import HOOK_PREFIX
from kernel import db

DAY_US = 86_400_000_000
# Longer than gateways take between two notes of who is connected.
ONLINE_MS = 30_000
COUNTED_MAX = 50_000


@dataclass(frozen=True)
class InstallationShown:
    """An installation with all that its owner sees of it."""

    link: Link
    now_ms: int
    keys: list[Key]
    params_revs: dict[str, int]
    signals: dict[str, int]
    state: str = "active"
    reason: str = ""
    state_at_ms: int | None = None
    online: bool = False
    seen_at_ms: int | None = None
    transport: str | None = None


@dataclass(frozen=True)
class ParamsShown:
    """The parameters of a strategy; revision 0 where there are none."""

    rev: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    at_ms: int | None = None
    acked_rev: int | None = None
    acked_at_ms: int | None = None


def links_of(caller: Caller) -> QuerySet[Link]:
    """Return the installations that a caller may see.

    A token that is bound to ledgers sees those whose signals cannot have gone anywhere else.
    """
    links = Link.objects.filter(user_id=caller.user_id)
    if caller.ledgers is None:
        return links
    own = sorted(caller.ledgers)
    elsewhere = Key.objects.filter(~Q(ledgers__contained_by=own), link=OuterRef("pk"))
    return links.filter(~Exists(elsewhere), ledger__in=own)


def link_ids_of(caller: Caller) -> list[int]:
    """Return the ids of the installations that a caller may see."""
    return list(links_of(caller).order_by("pk").values_list("pk", flat=True))


def key_in_force(key: Key, now_ms: int) -> bool:
    """Whether a key can be used."""
    return (
        key.revoked_at_ms is None
        and key.valid_from_ms <= now_ms
        and (key.valid_until_ms is None or now_ms < key.valid_until_ms)
    )


def keys_in_force(link_id: int, now_ms: int) -> list[Key]:
    """Return the keys of an installation that can be used, or will be."""
    keys = Key.objects.filter(link_id=link_id, revoked_at_ms__isnull=True).exclude(kid__startswith=HOOK_PREFIX)
    return [key for key in keys if key.valid_until_ms is None or key.valid_until_ms > now_ms]


def installations_shown(links: Sequence[Link], *, now_ms: int) -> dict[int, InstallationShown]:
    """Return what is shown of installations, by their ids, in a fixed number of queries."""
    ids = [link.pk for link in links]
    keys, newest = defaultdict[int, list[Key]](list), dict[int, Presence]()
    # Hooks are shown by themselves.
    signing = Key.objects.filter(link__in=ids).exclude(kid__startswith=HOOK_PREFIX)
    for key in signing.order_by("-made_at_ms", "kid"):
        keys[key.link_id].append(key)
    kids = [key.kid for some in keys.values() for key in some]
    for presence in Presence.objects.filter(pk__in=kids).order_by("seen_at_ms"):
        newest[presence.link_id] = presence
    revs, states, counts = params_revs_of(ids), _states(ids), _counts(ids, now_ms=now_ms)
    shown = {}
    for link in links:
        seen, held = newest.get(link.pk), states.get(link.pk)
        shown[link.pk] = InstallationShown(
            link=link,
            now_ms=now_ms,
            keys=keys[link.pk],
            params_revs=revs.get(link.pk, {}),
            signals=counts[link.pk],
            state=held[0] if held else "active",
            reason=held[1] if held else "",
            state_at_ms=held[2] if held else None,
            online=bool(seen and seen.online and seen.seen_at_ms > now_ms - ONLINE_MS),
            seen_at_ms=seen.seen_at_ms if seen else None,
            transport=seen.transport if seen else None,
        )
    return shown


def params_revs_of(link_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return the newest revision of each strategy's parameters, by installation."""
    found = defaultdict[int, dict[str, int]](dict)
    for link_id, strategy, rev in db.rows(statements.PARAMS_REVS, {"links": db.numbers_array(link_ids)}):
        found[link_id][strategy] = rev
    return found


def params_of(*, link_id: int, strategy: str) -> ParamsShown:
    """Return the parameters of a strategy as they are now, and how far its experts are."""
    rows = Instruction.objects.filter(link_id=link_id, kind="params", strategy=strategy)
    newest = rows.order_by("-rev").first()
    if newest is None:
        return ParamsShown()
    acks = ParamsAck.objects.filter(instruction__in=rows).order_by("-instruction__rev", "at_ms")
    acked = acks.values_list("instruction__rev", "at_ms").first()
    return ParamsShown(
        rev=newest.rev or 0,
        values=json.loads(newest.values or "{}"),
        at_ms=newest.at_ms,
        acked_rev=acked[0] if acked else None,
        acked_at_ms=acked[1] if acked else None,
    )


def _states(ids: Sequence[int]) -> dict[int, tuple[str, str, int]]:
    rows = db.rows(statements.LINK_STATES, {"names": [str(link_id) for link_id in ids]})
    return {int(name): (state, reason, at_ms) for name, state, reason, at_ms in rows}


def _counts(ids: Sequence[int], *, now_ms: int) -> Mapping[int, dict[str, int]]:
    asked = {"links": db.numbers_array(ids), "since_us": now_ms * 1_000 - DAY_US, "most": COUNTED_MAX}
    names = ("received", "accepted", "denied", "rejected", "expired")
    found = {link_id: dict(zip(names, numbers, strict=True)) for link_id, *numbers in db.rows(statements.COUNTS, asked)}
    return {link_id: found.get(link_id, dict.fromkeys(names, 0)) for link_id in ids}
