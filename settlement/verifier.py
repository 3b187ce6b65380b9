"""The program that checks receipts and archives as one file: same sources, same bytes, wherever it is built.

``python -m settlement.verifier FILE`` writes it. Nothing of it is imported here: the platform hands it out, no more.
"""

from __future__ import annotations

import io
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

NAME = "fairstrike-verify.pyz"
_PACKAGE = "fairstrike_verify"
_MAIN = '''"""Check receipts and tick archives of a Fairstrike platform; Apache-2.0."""

import sys

if sys.version_info < (3, 11):
    sys.exit("fairstrike-verify needs Python 3.11 or newer")

from fairstrike_verify.cli import main

sys.exit(main())
'''


@cache
def verifier_bytes() -> bytes:
    """Return the zipapp: sources in the order of their names, no times, no compression that differs by version."""
    spec = find_spec(_PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    files = {f"{_PACKAGE}/{path.name}": path.read_bytes() for path in folder.glob("*.py")} | {
        "__main__.py": _MAIN.encode()
    }
    packed = io.BytesIO(b"#!/usr/bin/env python3\n")
    packed.seek(0, io.SEEK_END)
    with ZipFile(packed, "w", ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def main() -> None:
    """Write the program to the file that is named."""
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(verifier_bytes())
    path.chmod(0o755)


if __name__ == "__main__":
    main()
