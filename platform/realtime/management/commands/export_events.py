"""Write the schema of each event type to docs/events/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.events import event_schemas

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Command(BaseCommand):
    """Export JSON schemas of the events' ``data``, one file per type and version."""

    help = "Write docs/events/<type>.v<version>.json for each registered event type."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where to, and whether only to compare."""
        parser.add_argument("--into", type=Path, default=settings.ROOT / "docs" / "events")
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write or compare the files."""
        folder: Path = options["into"]
        documents = {
            folder / f"{name}.v{version}.json": _document(name, version, schema)
            for (name, version), schema in event_schemas().items()
        }
        stale = [path for path, text in documents.items() if not path.is_file() or path.read_text() != text]
        if options["check"]:
            if stale:
                raise CommandError(f"out of date: {', '.join(path.name for path in stale)}")
            return
        folder.mkdir(parents=True, exist_ok=True)
        for path in stale:
            path.write_text(documents[path])
        self.stdout.write(f"{len(documents)} event types, {len(stale)} files written")


def _document(name: str, version: int, schema: dict[str, Any]) -> str:
    document = {"$schema": _DIALECT, "title": f"data of {name} v{version}", **schema}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
