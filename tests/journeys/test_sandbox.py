"""The walk-through for authors of clients, run as it stands on its page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys.client import ROOT, Platform

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("platform"), pytest.mark.timeout(300)]
PAGE = ROOT / "docs" / "ea" / "sandbox.md"
SETTLED = ("won", "lost", "tied")


def chapters() -> dict[str, str]:
    """Return the shell commands of the page by heading; what stands above the first heading is under ''."""
    found: dict[str, str] = {}
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE):
        title = part.partition("\n")[0] if not part.startswith("#") else ""
        found[title] = "\n".join(re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL))
    return found


def test_each_way_ends_in_a_settled_order(platform: Platform, tmp_path: Path) -> None:
    """docs/ea/sandbox.md: by the sample client, by hand, by TradingView and by the Expert Advisor."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed: the expert cannot be compiled here")
    commands = chapters()
    assert [len(text) > 0 for text in commands.values()] == [True, True, True, True, True, False]
    with gateway_port(platform) as port:
        known = {"URL": platform.url, "EA_PORT": str(port), "BOX": str(tmp_path), "PYTHON": sys.executable}
        start, *ways, _ = commands.values()
        told = [_ran("set -euo pipefail\n" + start + "\n" + ways[0], known, platform)]
        told += [_ran("set -euo pipefail\n" + start + "\n" + way, known, platform) for way in ways[1:]]
    by_client, by_hand, by_alert, by_expert = told
    symbols = json.loads((tmp_path / "symbols.json").read_text())["symbols"]
    assert "EURUSD" in {symbol["code"] for symbol in symbols}
    frames = [json.loads(line) for line in by_client.splitlines() if line.startswith('{"type"')]
    assert [frame["type"] for frame in frames] == ["ack", "order", "order", "welcome", "ack", "order", "order"]
    assert {frame["code"] for frame in frames if frame.get("state") == "settled"} <= set(SETTLED)
    assert '"status":"accepted"' in by_hand
    assert '"state":"settled"' in by_hand
    assert [by_alert.count(f'"status":"{status}"') for status in ("accepted", "duplicate")] == [1, 1]
    (order,) = json.loads((tmp_path / "order.json").read_text())["data"]
    assert (order["state"] in SETTLED, order["source"], order["symbol"]) == (True, "ea", "EURUSD")
    assert any(result in by_expert for result in SETTLED)
    verified = platform.manage("verify_ledger")
    assert verified.returncode == 0, verified.stdout


@contextmanager
def gateway_port(platform: Platform) -> Iterator[int]:
    """Run one more gateway: the platform of the journeys has its own on a port that only its log tells."""
    gateway = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "ea_gateway", "--port", "0"],
        env=dict(platform.environ),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert gateway.stdout is not None
        found = re.search(r":(\d+)", gateway.stdout.readline())
        assert found is not None
        yield int(found[1])
    finally:
        gateway.terminate()
        gateway.communicate(timeout=20)


def _ran(commands: str, known: dict[str, str], platform: Platform) -> str:
    done = subprocess.run(
        ["bash", "-c", commands],
        cwd=ROOT,
        env=dict(platform.environ) | known,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
