"""Recompute settled orders from the tick log."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.clock import parse_rfc3339
from settlement.audit import orders_audit


class Command(BaseCommand):
    """``resettle --check [--from TIME] [--to TIME]``"""

    help = "Recompute settled orders from stored ticks. It never changes an order; exit code 1 on any difference."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--check", action="store_true", required=True, help="compare; there is no other mode")
        parser.add_argument("--from", dest="from_time", metavar="RFC3339", help="settled at or after")
        parser.add_argument("--to", dest="to_time", metavar="RFC3339", help="settled before")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the counts, and the ids behind them when they are not zero."""
        try:
            from_ms = options["from_time"] and parse_rfc3339(options["from_time"])
            to_ms = options["to_time"] and parse_rfc3339(options["to_time"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        result = orders_audit(from_ms=from_ms, to_ms=to_ms)
        for word, ids in (("difference", result.differences), ("unavailable", result.unavailable)):
            for order_id in ids[:100]:
                self.stderr.write(f"{word} {order_id}")
        self.stdout.write(
            f"checked {result.checked}, differences {len(result.differences)}, unavailable {len(result.unavailable)}"
        )
        if result.differences or result.unavailable:
            sys.exit(1)
