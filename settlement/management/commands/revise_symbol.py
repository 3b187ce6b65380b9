"""Ask for a revision of a symbol, or withdraw one."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from kernel.clock import wall_ms
from kernel.errors import Problem
from quotes.feeds import FEEDS, FeedSettingsError, feed_settings
from quotes.models import Symbol, SymbolRevision
from quotes.revisions import RevisedTerms, revision_cancel, revision_request, revision_terms, revision_waiting
from settlement.revisions import orders_open, revisions_activate

_LOOK_EVERY_S = 0.2


class Command(BaseCommand):
    """``revise_symbol CODE --price-scale 3 --reason TEXT``; what is not given stays as it is."""

    help = (
        "Change what makes a symbol's price: it takes no new orders until its open ones are settled by the old terms. "
        "An emergency is approved in the admin, by a second person who is logged in."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("code", metavar="CODE")
        parser.add_argument("--feed", metavar="NAME", help=", ".join(sorted(FEEDS)))
        parser.add_argument("--source", metavar="UPSTREAM", help="the symbol's name at the feed")
        parser.add_argument("--price-scale", type=int, metavar="N", help="decimals of a price")
        parser.add_argument("--price-source", choices=("mid", "last"))
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; of an emergency everybody reads it")
        parser.add_argument("--by", default="", metavar="EMAIL", help="the operator who asks; an emergency needs one")
        parser.add_argument("--emergency", action="store_true", help="refund the open orders instead of waiting")
        parser.add_argument("--cancel", action="store_true", help="withdraw the revision that waits")
        parser.add_argument("--wait", type=float, default=0.0, metavar="S", help="seconds to wait until it is in force")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, or withdraw, and wait if that was asked for."""
        symbol = Symbol.objects.filter(code=options["code"]).first()
        if symbol is None:
            raise CommandError(f"there is no symbol {options['code']}")
        try:
            if options["cancel"]:
                self._cancel(symbol, options)
            else:
                self._request(symbol, options)
        except Problem as problem:
            fields = "; ".join(f"{error.field} {error.message}" for error in problem.errors)
            raise CommandError(fields or problem.title) from problem

    def _request(self, symbol: Symbol, options: dict[str, Any]) -> None:
        revision = revision_request(
            code=symbol.code,
            terms=_terms(symbol, options),
            reason=options["reason"],
            by_id=_person(options["by"]),
            emergency=options["emergency"],
            now_ms=wall_ms(),
        )
        if revision.emergency:
            self.stdout.write(f"revision {revision.number} of {symbol.code} waits for a second person")
            return
        orders = orders_open(symbol.pk)
        self.stdout.write(f"revision {revision.number} of {symbol.code} waits for {orders} open orders")
        if options["wait"]:
            self._wait(revision, options["wait"])

    def _wait(self, revision: SymbolRevision, within_s: float) -> None:
        deadline_s = time.monotonic() + within_s
        while revision.since_ms is None and revision.cancelled_at_ms is None:
            if time.monotonic() > deadline_s:
                raise CommandError(
                    f"revision {revision.number} still waits for {orders_open(revision.symbol_id)} orders"
                )
            # The settlement worker does the same; whoever is first puts it in force.
            revisions_activate()
            revision.refresh_from_db()
            if revision.since_ms is None:
                time.sleep(_LOOK_EVERY_S)
        if revision.cancelled_at_ms is not None:
            raise CommandError(f"revision {revision.number} was withdrawn")
        self.stdout.write(f"revision {revision.number} is in force")

    def _cancel(self, symbol: Symbol, options: dict[str, Any]) -> None:
        waiting = revision_waiting(symbol)
        if waiting is None:
            raise CommandError(f"no revision of {symbol.code} waits")
        revision_cancel(code=symbol.code, number=waiting.number, by_id=_person(options["by"]), now_ms=wall_ms())
        self.stdout.write(f"revision {waiting.number} of {symbol.code} is withdrawn")


def _terms(symbol: Symbol, options: dict[str, Any]) -> RevisedTerms:
    """Return the terms asked for; the endpoint is the one that this process would use for the feed."""
    known = revision_terms(symbol)
    feed = options["feed"] or known.feed
    try:
        endpoint = feed_settings(feed).override
    except FeedSettingsError as error:
        raise CommandError(str(error)) from error
    scale, price_source = options["price_scale"], options["price_source"]
    return RevisedTerms(
        feed,
        options["source"] or known.source,
        endpoint,
        known.price_scale if scale is None else scale,
        price_source or known.price_source,
    )


def _person(email: str) -> UUID | None:
    if not email:
        return None
    found = User.objects.filter(email=email.lower(), is_staff=True).values_list("pk", flat=True).first()
    if found is None:
        raise CommandError(f"there is no operator {email}")
    return found
