"""The experts' sources that owners download."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

from django.test import Client

from ea.experts import experts_archive

ROOT = Path(__file__).resolve().parents[2]


def test_the_archive_holds_the_sources_of_both_generations_and_the_guide(client: Client) -> None:
    """What is downloaded compiles: sources stand beside ``common``, byte for byte, without the tests' kit."""
    answer = client.get("/ea/v1/experts.zip")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    sources = ROOT / "ea" / "mql"
    wanted = {path for folder in ("common", "mt4", "mt5") for path in (sources / folder).glob("*.m*")}
    expected = {f"Fairstrike/{path.relative_to(sources).as_posix()}": path.read_bytes() for path in wanted}
    expected["Fairstrike/install.md"] = (ROOT / "docs/ea/install.md").read_bytes()
    assert files == expected
    assert {"Fairstrike/mt5/FairstrikeSignal.mq5", "Fairstrike/mt4/FairstrikeSignal.mq4"} <= files.keys()


def test_the_archive_is_the_same_every_time_and_is_not_sent_twice(client: Client) -> None:
    """Two builds give the same bytes, so a checksum can be published; who has it already gets 304."""
    first = experts_archive()
    experts_archive.cache_clear()
    assert experts_archive() == first
    etag = client.get("/ea/v1/experts.zip")["ETag"]
    assert client.get("/ea/v1/experts.zip", headers={"If-None-Match": etag}).status_code == 304
    assert client.post("/ea/v1/experts.zip").status_code == 405
