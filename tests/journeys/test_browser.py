"""The main job as a person does it: a real Chromium against the running platform."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.journeys.client import ROOT, Platform

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("platform")]


@pytest.mark.timeout(900)
def test_traders_reach_what_they_came_for(platform: Platform) -> None:
    """Done when: every journey of terminal/e2e ends well; axe finds nothing; sizes and memory stay in their bounds."""
    # The journeys run commands beside the platform, so they get its environment.
    beside = {**platform.environ, "PATH": os.environ["PATH"], "PYTHON_BIN": sys.executable}
    ended = subprocess.run(
        ["npm", "run", "--silent", "e2e"],
        cwd=ROOT / "terminal",
        env={**beside, "BASE_URL": platform.url, "CI": "true"},
        capture_output=True,
        text=True,
        timeout=880,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
