"""The main job as a person does it: a real Chromium against the running platform."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.journeys.client import ROOT, Platform

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("platform")]


@pytest.mark.timeout(300)
def test_a_trader_buys_and_sees_the_result(platform: Platform) -> None:
    """Done when: log in, moving chart, buy, settlement and balance without a reload, lost connection, phone."""
    ended = subprocess.run(
        ["npm", "run", "--silent", "e2e"],
        cwd=ROOT / "terminal",
        env={**os.environ, "BASE_URL": platform.url, "CI": "true"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
