"""Check the invariants of ledger and orders."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from kernel import db
from ledger import invariants as ledger_invariants
from settlement import invariants as order_invariants


class Command(BaseCommand):
    """``verify_ledger [--full]``"""

    help = "Check ledger and order invariants, one line each with its count of violations; exit code 1 if any."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--full", action="store_true", help="read also what the last checkpoint covers")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one line an invariant."""
        if options["full"]:
            # Each statement reads the whole history, for which the bound of requests is too short.
            db.run("SET statement_timeout = '2h'")
        of_the_ledger = ledger_invariants.FULL_CHECKS if options["full"] else ledger_invariants.CHECKS
        found = db.violation_counts(of_the_ledger | order_invariants.CHECKS)
        for name, violations in sorted(found.items()):
            self.stdout.write(f"{name}: {violations}")
        if any(found.values()):
            sys.exit(1)
