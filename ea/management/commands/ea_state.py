"""Set the state of the bridge."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ea.domain import TradingState
from ea.risk_services import REASON_LENGTH_MAX, bridge_state_set
from kernel.errors import Problem
from kernel.jobs import database_now_ms


class Command(BaseCommand):
    """Halt the bridge for everybody or for a symbol, or let it go on; a single client's is that client's to switch."""

    help = "Set the trading state of the bridge, for all symbols or for one. It is published with its reason."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the state, where it holds, and why."""
        parser.add_argument("state", choices=[state.value for state in TradingState])
        parser.add_argument("--symbol", default="", metavar="CODE", help="on this symbol only [all]")
        parser.add_argument("--reason", required=True, help="everybody reads it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Set the state."""
        reason = options["reason"].strip()
        if not reason or len(reason) > REASON_LENGTH_MAX:
            raise CommandError(f"the reason has 1 to {REASON_LENGTH_MAX} characters")
        try:
            switch = bridge_state_set(
                symbol=options["symbol"],
                state=TradingState(options["state"]),
                reason=reason,
                now_ms=database_now_ms(),
            )
        except Problem as problem:
            raise CommandError(problem.title) from problem
        self.stdout.write(f"The bridge is {switch.state} for {switch.name or 'all symbols'}.")
