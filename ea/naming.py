"""What brokers call our symbols: names that nobody knows yet, and the aliases that tell what they mean."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Q

from ea import errors
from ea.models import SymbolAlias, UnknownSymbol
from ea.symbols import symbol_exists
from kernel.metrics import count

ALIASES_MAX = 500


def unknown_of(*, links: Collection[int], before: tuple[int, int] | None, limit: int) -> list[UnknownSymbol]:
    """Return names of installations' brokers that no rule knows, those that came last first.

    :param before: ``(last_at_ms, id)`` of the last row of the page before
    """
    rows = UnknownSymbol.objects.filter(link__in=links).select_related("link").order_by("-last_at_ms", "-pk")
    if before is not None:
        rows = rows.filter(Q(last_at_ms__lt=before[0]) | Q(last_at_ms=before[0], pk__lt=before[1]))
    return list(rows[:limit])


def aliases_of(*, links: Collection[int], before: int | None, limit: int) -> list[SymbolAlias]:
    """Return the aliases of installations and of every broker, the newest first."""
    rows = SymbolAlias.objects.filter(Q(link__in=links) | Q(link__isnull=True)).order_by("-pk")
    return list((rows if before is None else rows.filter(pk__lt=before))[:limit])


@transaction.atomic
def alias_add(*, link_id: int | None, raw: str, symbol: str) -> SymbolAlias:
    """Say what a broker's name means, and take it off the list of unknown names.

    :param link_id: the installation; None for every broker, where its owner has not said otherwise
    :raises Problem: ``symbol.unknown`` or ``ea.aliases_full``
    """
    if not symbol_exists(symbol):
        raise errors.symbol_unknown()
    if link_id is not None and SymbolAlias.objects.filter(link_id=link_id).exclude(raw=raw).count() >= ALIASES_MAX:
        raise errors.aliases_full(ALIASES_MAX)
    alias, _ = SymbolAlias.objects.update_or_create(link_id=link_id, raw=raw, defaults={"symbol": symbol})
    named = UnknownSymbol.objects.filter(raw=raw)
    (named if link_id is None else named.filter(link_id=link_id)).delete()
    count("ea_symbols_named")
    return alias


def alias_remove(*, links: Collection[int], alias_id: int) -> bool:
    """Forget an alias of one of these installations; return whether there was one."""
    removed, _ = SymbolAlias.objects.filter(pk=alias_id, link__in=links).delete()
    return bool(removed)
