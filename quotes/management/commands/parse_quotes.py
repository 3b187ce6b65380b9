"""The quote parser."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.clock import parse_rfc3339
from quotes.adapters.script import Script, script_sources
from quotes.adapters.upstream import Adapter, Clock
from quotes.feed_writer import Choice
from quotes.feeds import FEEDS, SCRIPT, FeedSettingsError, feed_settings
from quotes.parser import Parser


class Command(BaseCommand):
    """Serve feeds until SIGTERM or SIGINT, or until a script ends."""

    help = (
        "Receive quotes and write the tick log: all feeds that have symbols, or one by --feed. "
        "A second parser of the same symbols stands by and takes over when the first one dies."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which feed and symbols, and what a script is."""
        parser.add_argument("--feed", metavar="NAME", help=f"serve this feed only: {', '.join(sorted(FEEDS))}")
        parser.add_argument("--symbols", metavar="A,B", default="", help="serve these symbols only")
        parser.add_argument("--file", metavar="CSV", type=Path, help="what the feed script plays")
        parser.add_argument("--start-at", metavar="RFC3339", help="when a script starts; its offsets count from here")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the parser."""
        feed: str | None = options["feed"]
        try:
            for name in [feed] if feed is not None else FEEDS:
                feed_settings(name)
        except FeedSettingsError as error:
            raise CommandError(str(error)) from error
        codes = frozenset(code.strip() for code in options["symbols"].split(",") if code.strip())
        sources, adapter = self._script(feed, options["file"], options["start_at"])
        asyncio.run(Parser(feed=feed, choice=Choice(codes, sources), adapter=adapter).run())

    def _script(
        self, feed: str | None, path: Path | None, start_at: str | None
    ) -> tuple[frozenset[str], Callable[[Clock], Adapter] | None]:
        if feed != SCRIPT.name:
            if path is not None or start_at is not None:
                raise CommandError("--file and --start-at belong to --feed script")
            return frozenset(), None
        if path is None:
            raise CommandError("--feed script needs --file")
        try:
            start_at_ms = None if start_at is None else parse_rfc3339(start_at)
            sources = script_sources(path)
        except ValueError as error:
            raise CommandError(f"--start-at: {error}") from error
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        receive_time = feed_settings(SCRIPT.name).receive_time

        def build(clock: Clock) -> Adapter:
            return Script(
                path=path, clock=clock, announce=self._announce, start_at_ms=start_at_ms, receive_time=receive_time
            )

        return sources, build

    def _announce(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
