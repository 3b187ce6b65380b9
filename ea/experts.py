"""The experts' sources as this server knows them, to be taken to MetaTrader: one archive, the same bytes every time."""

from __future__ import annotations

import hashlib
import zipfile
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

_SOURCES = Path(__file__).parent / "mql"
_GUIDE = Path(__file__).parents[1] / "docs" / "ea" / "install.md"
_FOLDERS = ("common", "mt4", "mt5")
_SUFFIXES = (".mq4", ".mq5", ".mqh")
# Unpacked into MQL5/Experts or MQL4/Experts it makes this folder.
_TOP = "Fairstrike"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@lru_cache(maxsize=1)
def experts_archive() -> bytes:
    """Return the archive: sources of both generations with what they share, and the guide to their installation."""
    found = [path for folder in _FOLDERS for path in (_SOURCES / folder).iterdir() if path.suffix in _SUFFIXES]
    files = {str(path.relative_to(_SOURCES).as_posix()): path for path in found} | {_GUIDE.name: _GUIDE}
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{_TOP}/{name}", _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return packed.getvalue()


def _etag(_request: HttpRequest) -> str:
    return f'"{hashlib.sha256(experts_archive()).hexdigest()[:32]}"'


@require_safe
@condition(etag_func=_etag)
def experts_view(_request: HttpRequest) -> HttpResponse:
    """Answer the archive to everybody: the sources are public."""
    answer = HttpResponse(experts_archive(), content_type="application/zip")
    answer["Content-Disposition"] = 'attachment; filename="fairstrike-experts.zip"'
    answer["Cache-Control"] = "public, max-age=300"
    return answer
