"""How the soak judges the log of the platform that it has run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from bench.soak.running import RunningPlatform

LOG = """\
settlement | 2026-11-21T11:10:39.034517Z [error    ] consumer: Cannot connect to redis+socket:///x/redis.sock
parser     | 2026-11-21T10:45:57.100630Z [error    ] feed_adapter_failed            [quotes.feed_runner] feed=deriv
parser     | 2026-11-21T10:45:58.372913Z [info     ] feed_connected [quotes.adapters.connection] feed=kraken
supervisor | parser ended with code -9 and starts again in 0.5 s
supervisor | web ended with code 1 and starts again in 0.5 s
supervisor | redis had ended and was started again
"""


@pytest.fixture
def running() -> Iterator[RunningPlatform]:
    """A platform that is not started: only its folder is there."""
    platform = RunningPlatform({})
    platform.log.write_text(LOG)
    yield platform
    shutil.rmtree(platform.data_dir)


def test_endings_and_errors_are_read_from_the_log(running: RunningPlatform) -> None:
    """A run fails when a runtime ends that was not killed, or logs an error."""
    assert running.endings() == {"parser": 1, "web": 1}
    assert running.errors() == {"consumer: of settlement": 1, "feed_adapter_failed of parser": 1}


def test_errors_about_redis_are_expected_where_it_was_killed(running: RunningPlatform) -> None:
    """F-07: Redis away is a fault that the platform survives; Celery says it loudly."""
    running.killed.append(("redis", 1))

    assert running.errors() == {"feed_adapter_failed of parser": 1}


def test_only_the_report_and_the_log_are_left_of_a_run_that_holds(running: RunningPlatform) -> None:
    """A run cleans up what it has made and keeps what tells of it."""
    (running.data_dir / "postgres").mkdir()
    (running.data_dir / "postgres" / "file").touch()
    (running.data_dir / "soak-report.json").touch()

    running.tidy()

    assert sorted(path.name for path in running.data_dir.iterdir()) == ["platform.log", "soak-report.json"]


def test_settings_of_other_stores_and_feeds_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A soak never touches a database that somebody works with."""
    monkeypatch.setenv("DATABASE_URL", "postgres://somewhere/else")
    monkeypatch.setenv("FEED_KRAKEN_URL", "wss://somewhere/else")

    platform = RunningPlatform({"FEED_BINANCE_URL": "ws://127.0.0.1:1/stream"})
    shutil.rmtree(platform.data_dir)

    urls = {name: value for name, value in platform.environ.items() if name.endswith("_URL")}
    assert urls == {"FEED_BINANCE_URL": "ws://127.0.0.1:1/stream"}
