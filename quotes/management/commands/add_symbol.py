"""Offer a symbol."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import Problem
from kernel.money import AmountPrecisionError, AmountShapeError, parse_amount
from quotes import services
from quotes.domain import ENTRY_RULES, SETTLEMENT_RULES
from quotes.feeds import FEEDS, FeedSettingsError, default_entry_rule, feed_settings

# Stake bounds are kept in hundredths of the wallet's currency.
STAKE_CURRENCY = "USD"
_CODE = re.compile(r"[A-Z0-9._-]{1,32}\Z", re.ASCII)


class Command(BaseCommand):
    """Offer a symbol on the demo and real ledgers; the same terms again change nothing."""

    help = "Offer a symbol on the demo and real ledgers; the parser picks it up within 2 s."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the symbol's terms."""
        new = services.NewSymbol(code="", feed="", source="")
        parser.add_argument("code", metavar="CODE", help="1 to 32 of A-Z 0-9 . _ -")
        parser.add_argument("--feed", required=True, metavar="NAME", help=", ".join(sorted(FEEDS)))
        parser.add_argument("--source", required=True, metavar="UPSTREAM", help="the symbol's name at the feed")
        parser.add_argument("--name", default="", metavar="TEXT", help="what traders read (default: the code)")
        parser.add_argument("--price-scale", type=int, default=new.price_scale, metavar="N", help="decimals of a price")
        parser.add_argument("--price-source", default=new.price_source, choices=("mid", "last"))
        parser.add_argument("--max-tick-age-ms", type=int, default=new.max_tick_age_ms, metavar="N")
        parser.add_argument("--payout", type=int, default=new.payout, metavar="N", help="percent")
        parser.add_argument("--min-stake", default="1.00", metavar="X", help="decimal amount")
        parser.add_argument("--max-stake", default="5000.00", metavar="X", help="decimal amount")
        parser.add_argument("--min-duration", type=int, default=new.min_duration_s, metavar="S", help="seconds")
        parser.add_argument("--max-duration", type=int, default=new.max_duration_s, metavar="S", help="seconds")
        parser.add_argument(
            "--declare-custom",
            action="store_true",
            help="tell clients that the feed is a custom one: in production the real ledger refuses it otherwise",
        )
        parser.add_argument("--calendar", default="", metavar="NAME", help="trading hours (default: round the clock)")
        parser.add_argument(
            "--entry-rule",
            metavar="NAME",
            help=f"{', '.join(ENTRY_RULES)} (default: next_tick/1 for real feeds and durations below a minute)",
        )
        parser.add_argument(
            "--settlement-rule", default=new.settlement_rule, metavar="NAME", help=", ".join(SETTLEMENT_RULES)
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Offer the symbol."""
        new = _new_symbol(options)
        try:
            services.symbol_add(new)
        except Problem as problem:
            raise CommandError(f"{problem.document(request_id=None)['title']}") from problem
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from error
        self.stdout.write(f"{new.code} is offered, priced by {new.feed} {new.source}")


def _new_symbol(options: dict[str, Any]) -> services.NewSymbol:
    try:
        settings = feed_settings(options["feed"])
    except FeedSettingsError as error:
        raise CommandError(str(error)) from error
    entry_rule = options["entry_rule"] or default_entry_rule(settings.feed.name, options["min_duration"])
    for kind, rule, known in (
        ("entry", entry_rule, ENTRY_RULES),
        ("settlement", options["settlement_rule"], SETTLEMENT_RULES),
    ):
        if rule not in known:
            raise CommandError(f"there is no {kind} rule {rule}; known: {', '.join(known)}")
    if not _CODE.match(options["code"]):
        raise CommandError("CODE must be 1 to 32 of A-Z 0-9 . _ -")
    return services.NewSymbol(
        code=options["code"],
        feed=options["feed"],
        source=options["source"],
        name=options["name"],
        price_scale=options["price_scale"],
        price_source=options["price_source"],
        max_tick_age_ms=options["max_tick_age_ms"],
        payout=options["payout"],
        min_stake_minor=_stake("--min-stake", options["min_stake"]),
        max_stake_minor=_stake("--max-stake", options["max_stake"]),
        min_duration_s=options["min_duration"],
        max_duration_s=options["max_duration"],
        entry_rule=entry_rule,
        settlement_rule=options["settlement_rule"],
        endpoint=settings.override,
        custom_declared=options["declare_custom"],
        calendar=options["calendar"],
    )


def _stake(option: str, text: str) -> int:
    try:
        return parse_amount(text, STAKE_CURRENCY)
    except (AmountShapeError, AmountPrecisionError) as error:
        raise CommandError(f"{option} must be an amount with at most two decimals, for example 5.00") from error
