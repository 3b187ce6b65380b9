"""Show or replace the risk limits of installations whose owners have set none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ea.models import RiskLimits
from ea.risk_limits import LimitsInvalid, limits_parsed
from ea.risk_services import default_limits_put
from kernel.jobs import database_now_ms


class Command(BaseCommand):
    """Print the default limits, or write their next version; they are the same for everybody."""

    help = "Print the risk limits of installations that have none of their own, or replace them by a JSON document."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where the new document is."""
        parser.add_argument("--set", metavar="FILE", type=Path, help="a document as in the guide on risk")

    def handle(self, *args: Any, **options: Any) -> None:
        """Show or write."""
        if options["set"] is not None:
            try:
                limits = limits_parsed(json.loads(options["set"].read_text()))
            except LimitsInvalid as invalid:
                raise CommandError(f"{invalid.path}: {invalid}") from invalid
            except (OSError, ValueError) as error:
                raise CommandError(str(error)) from error
            default_limits_put(limits=limits, now_ms=database_now_ms())
        newest = RiskLimits.objects.filter(link=None).order_by("-version").first()
        document = {} if newest is None else newest.document
        self.stdout.write(json.dumps({"version": newest.version if newest else 0} | document, indent=2))
