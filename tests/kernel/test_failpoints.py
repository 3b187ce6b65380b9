"""Failpoints: no cost and no effect unless a process was started with them, each named once, never in production."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from kernel import failpoints
from kernel.failpoints import FAILPOINTS, Armed, FailpointError, chosen

ROOT = Path(__file__).resolve().parents[2]
APPS = ("platform", "quotes", "trading", "settlement", "payments", "kyc", "tournaments", "ea")


def _reached(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield file and name of each call of ``reach``; a name that is no literal is a defect."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and "reach" in (
                getattr(node.func, "id", None),
                getattr(node.func, "attr", None),
            ):
                (name,) = node.args
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}"
                yield str(path), str(name.value)


def test_the_registry_is_the_code() -> None:
    """Issue 4: each step in code is registered, each registered one is in code, and each exactly once."""
    found = [name for app in APPS for _, name in _reached(ROOT / app)]
    assert {name: times for name, times in Counter(found).items() if times > 1} == {}
    assert set(found) == set(FAILPOINTS)


def test_a_name_beside_the_registry_is_seen(tmp_path: Path) -> None:
    """The test above can fail: it finds calls, as a name and as an attribute."""
    (tmp_path / "code.py").write_text('reach("a.one")\nfailpoints.reach("a.two")\n')
    assert [name for _, name in _reached(tmp_path)] == ["a.one", "a.two"]


def test_off_it_is_a_function_that_does_nothing() -> None:
    """No cost when off: these tests run without failpoints, and an empty variable arms none."""
    assert failpoints.reach is chosen({}, development=lambda: True)
    assert failpoints.reach is chosen({"FAILPOINT": ""}, development=lambda: False)
    assert not isinstance(failpoints.reach, Armed)


def test_the_hit_that_was_asked_for_acts() -> None:
    """The second time, and no other time and no other step."""
    reach = Armed("settle.claimed:2:raise,settle.decided:1:pause:1")
    reach("settle.claimed")
    reach("settle.decided")
    with pytest.raises(FailpointError, match=r"settle\.claimed"):
        reach("settle.claimed")
    reach("settle.claimed")


@pytest.mark.parametrize(
    "text",
    ["", "settle.claimed", "settle.claimed:1", "settle.claimed:0:kill", "nowhere:1:kill", "settle.claimed:1:pause"],
)
def test_an_order_that_cannot_be_read_is_refused(text: str) -> None:
    """A misspelt step must not pass for a test."""
    with pytest.raises(ValueError, match="FAILPOINT"):
        Armed(text)


def test_production_refuses_them() -> None:
    """Never active with production settings: the registry refuses, and such a process does not even start."""
    with pytest.raises(ImproperlyConfigured, match="production"):
        chosen({"FAILPOINT": "settle.claimed:1:kill"}, development=lambda: False)
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings.prod",
        "SECRET_KEY": "0123456789" * 5,
        "ALLOWED_HOSTS": "trade.example.com",
    }
    command = [sys.executable, "-c", "import django; django.setup(); print('started')"]
    refused = subprocess.run(command, env=environ | {"FAILPOINT": "settle.claimed:1:kill"}, capture_output=True)
    assert refused.returncode != 0
    assert b"FAILPOINT must not be set in production" in refused.stderr
    assert b"started" in subprocess.run(command, env=environ, capture_output=True).stdout
