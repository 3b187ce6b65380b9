"""Play the log of the bridge again: against what is stored, or with other limits."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ea.replay.checking import Replayed, log_check
from ea.replay.history import Scope
from ea.replay.whatif import WhatIf, what_if
from ea.risk_limits import DOCUMENT_BYTES_MAX, Limits, LimitsInvalid, limits_parsed
from kernel.clock import parse_rfc3339
from kernel.money import format_minor


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
        what.add_argument("--what-if", metavar="risk.json", help="run the signals through other limits, on paper")

    def handle(self, *args: Any, **options: Any) -> None:
        """Play the log; nothing is written."""
        try:
            until_ms = None if options["until"] is None else parse_rfc3339(options["until"])
        except ValueError as error:
            raise CommandError(f"--until: {error}") from None
        scope, as_json = Scope(until_ms=until_ms, link_id=options["link"]), options["json"]
        if options["check"]:
            self._check(scope, as_json=as_json)
        else:
            self._what_if(_limits(options["what_if"]), scope, as_json=as_json)

    def _check(self, scope: Scope, *, as_json: bool) -> None:
        result = log_check(scope)
        if as_json:
            self.stdout.write(json.dumps(result.document(), ensure_ascii=False))
        else:
            self._told(result)
        if not result.holds:
            sys.exit(1)

    def _what_if(self, limits: Limits, scope: Scope, *, as_json: bool) -> None:
        result = what_if(limits, scope)
        if as_json:
            self.stdout.write(json.dumps(result.document(), ensure_ascii=False))
        else:
            self._compared(result)

    def _compared(self, result: WhatIf) -> None:
        """Print what happened on paper and what really did, below each other."""
        found = result.document()
        for name in ("signals", "undecided", "differing", "on_paper"):
            self.stdout.write(f"{name}: {found[name]}")
        for name in ("unknown", "warnings"):
            for reason, times in found[name].items():
                self.stdout.write(f"{name} {reason}: {times}")
        for group in found["groups"]:
            names = (group["ledger"], group["currency"], group["strategy"], group["symbol"])
            self.stdout.write(" ".join(name or "-" for name in names))
            for side in ("paper", "real"):
                self.stdout.write(f"  {side}: {_line(group[side], group['currency'])}")
        for example in found["examples"]:
            self.stderr.write(example)

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


def _line(figures: dict[str, Any], currency: str) -> str:
    """Return the figures of a group in words."""
    said = [f"taken {figures['taken']}", f"denied {sum(figures['denied'].values())}"]
    if figures["taken"]:
        counts = figures["results"] | {"open": figures["open"]}
        said += [f"{name} {times}" for name, times in counts.items() if times]
        said += [f"{name} {format_minor(figures[name], currency)}" for name in ("stakes", "profit", "drawdown")]
    said += [f"{code} {times}" for code, times in figures["denied"].items()]
    return ", ".join(said)


def _limits(path: str) -> Limits:
    """Return the limits in a file.

    :raises CommandError: with what is wrong with it, and where
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(DOCUMENT_BYTES_MAX + 1)
    except OSError as error:
        raise CommandError(f"--what-if: {error}") from None
    if len(text) > DOCUMENT_BYTES_MAX:
        raise CommandError(f"--what-if: the file is larger than {DOCUMENT_BYTES_MAX} bytes")
    try:
        return limits_parsed(msgspec.json.decode(text))
    except LimitsInvalid as error:
        raise CommandError(f"--what-if: {error.path}: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(f"--what-if: the file is no JSON: {error}") from None
