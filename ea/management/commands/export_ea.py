"""Write what authors of clients need to docs/ea/: the schema of every frame and the table of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ea.code_table import codes_document
from ea.schemas import schema_document


class Command(BaseCommand):
    """Export ``schema.json`` and ``codes.md``."""

    help = "Write docs/ea/schema.json and docs/ea/codes.md."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where to, and whether only to compare."""
        parser.add_argument("--into", type=Path, default=settings.ROOT / "docs" / "ea")
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write or compare the files."""
        folder: Path = options["into"]
        documents = {folder / "schema.json": schema_document(), folder / "codes.md": codes_document()}
        stale = [path for path, text in documents.items() if not path.is_file() or path.read_text() != text]
        if options["check"]:
            if stale:
                raise CommandError(f"out of date: {', '.join(path.name for path in stale)}")
            return
        folder.mkdir(parents=True, exist_ok=True)
        for path in stale:
            path.write_text(documents[path])
        self.stdout.write(f"{len(stale)} of {len(documents)} files written")
