"""Play the log of the bridge again: against what is stored, or with other limits."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ea.replay.checking import Replayed, log_check
from ea.replay.history import Scope
from kernel.clock import parse_rfc3339


class Command(BaseCommand):
    """``ea_replay [--until RFC3339] [--link ID] [--json] --check | --what-if risk.json``"""

    help = "Fold the log of the bridge and compare it with its orders, or run it through other limits on paper."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--until", help="play nothing of after this instant, in RFC 3339")
        parser.add_argument("--link", type=int, help="play one installation, by its id")
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--check", action="store_true", help="compare with what is stored; exit code 1 if it differs")

    def handle(self, *args: Any, **options: Any) -> None:
        """Play the log; nothing is written."""
        try:
            until_ms = None if options["until"] is None else parse_rfc3339(options["until"])
        except ValueError as error:
            raise CommandError(f"--until: {error}") from None
        self._check(Scope(until_ms=until_ms, link_id=options["link"]), as_json=options["json"])

    def _check(self, scope: Scope, *, as_json: bool) -> None:
        result = log_check(scope)
        if as_json:
            self.stdout.write(json.dumps(result.document(), ensure_ascii=False))
        else:
            self._told(result)
        if not result.holds:
            sys.exit(1)

    def _told(self, result: Replayed) -> None:
        """Print one line a fact, like ``verify_ledger``."""
        found = result.document()
        for name in ("events", "unsigned", "moved_since"):
            self.stdout.write(f"{name}: {found[name]}")
        for state, orders in found["orders"].items():
            self.stdout.write(f"orders {state}: {orders}")
        for name, digest in found["sha256"].items():
            self.stdout.write(f"sha256 {name}: {digest}")
        for check, faults in found["checks"].items():
            self.stdout.write(f"{check}: {faults}")
        for example in found["examples"]:
            self.stderr.write(example)
