"""Tests that share something costly stay together on one worker."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("architecture")
def test_groups_reach_the_scheduler(request: pytest.FixtureRequest, worker_id: str) -> None:
    """D: with a pytest that pytest-xdist does not know, groups were ignored, and each worker had its own platform."""
    assert worker_id == "master" or request.node.nodeid.endswith("@architecture")
