"""Contract, environment: production refuses to boot half-configured."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.journeys.client import ROOT

SOUND = {"SECRET_KEY": "s" * 40, "ALLOWED_HOSTS": "trade.example.com"}


def _boot(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"SECRET_KEY", "DEBUG", "ALLOWED_HOSTS"}}
    return subprocess.run(
        [sys.executable, "-c", "import config.settings.prod"],
        env=kept | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_production_boots_with_secret_and_hosts() -> None:
    """Contract: nothing else is needed."""
    assert _boot(SOUND).returncode == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"SECRET_KEY": ""},
        {"SECRET_KEY": "short"},
        {"SECRET_KEY": "development-only-and-long-enough-to-pass"},
        {"DEBUG": "true"},
        {"ALLOWED_HOSTS": ""},
        {"ALLOWED_HOSTS": "trade.example.com,*"},
    ],
    ids=lambda wrong: "=".join(*wrong.items()),
)
def test_production_refuses_to_boot(wrong: dict[str, str]) -> None:
    """Contract: a default secret, DEBUG or a wildcard host ends the boot with the variable's name (S-06, S-40)."""
    ended = _boot(SOUND | wrong)
    assert ended.returncode != 0
    assert f"ImproperlyConfigured: {next(iter(wrong))} must" in ended.stderr
