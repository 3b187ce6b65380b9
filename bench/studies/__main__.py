"""``python -m bench.studies [--write]``: what the rules are worth, on the recordings; exit code 1 when files differ."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from bench.studies.document import Document, page_tables, studies_document
from bench.studies.recordings import ROOT

DOCUMENT = ROOT / "settlement/data/studies.json"
PAGE = ROOT / "docs/fairness/studies.md"
# The tables of the page are written by this command, what is said about them is not.
BEGIN, END = "<!-- tables: python -m bench.studies --write -->\n", "<!-- end of tables -->\n"


def document_text(document: Document) -> str:
    """Return the document as it is kept and served."""
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def page_text(document: Document, page: str) -> str:
    """Return a page with the tables of a document in it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{page_tables(document)}\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the studies and write them, or compare them with what is written."""
    parser = argparse.ArgumentParser(prog="python -m bench.studies", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the document and the tables of the page")
    asked = parser.parse_args(arguments)
    document = studies_document()
    made = {DOCUMENT: document_text(document), PAGE: page_text(document, PAGE.read_text())}
    if asked.write:
        for path, text in made.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    sys.stdout.write(page_tables(document))
    stale = [path.name for path, text in made.items() if not path.exists() or path.read_text() != text]
    if stale:
        sys.stderr.write(f"not as written: {', '.join(stale)}\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
