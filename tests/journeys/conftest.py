"""One running platform for all journeys of a worker: the real supervisor with every runtime."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.client import ROOT, Platform
from tests.support import eventually

RECORDING = ROOT / "tests" / "data" / "binance-futures-2021-07-22.ws.txt"
START_LIMIT_S = 120


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def replay_url() -> Iterator[str]:
    """Replay real recorded packets in a loop on a loopback port."""
    port = _free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.quotes.replay", str(RECORDING), "--port", str(port), "--loop"], cwd=ROOT
    )
    yield f"ws://127.0.0.1:{port}/stream"
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture(scope="session")
def platform(replay_url: str) -> Iterator[Platform]:
    """Start the platform as ``make run`` does and stop it as Ctrl-C does."""
    # The directories of pytest are private to its user; the embedded PostgreSQL may run as another one.
    data_dir, port = Path(tempfile.mkdtemp(prefix="fairstrike-t-", dir="/tmp")), _free_port()
    data_dir.chmod(0o711)
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    environ |= {
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "EA_PORT": "0",
        "DJANGO_SETTINGS_MODULE": "config.settings.dev",
        "FEED_BINANCE_URL": replay_url,
        "FEED_BINANCE_TIME": "receive",
    }
    log = (data_dir / "platform.log").open("w+")
    running = subprocess.Popen(
        [sys.executable, "-m", "config.supervisor"], cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        eventually(lambda: f"ready http://127.0.0.1:{port}" in _text(log.name, running), within_s=START_LIMIT_S)
        yield Platform(f"http://127.0.0.1:{port}", environ)
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=40)
        log.close()
        if os.environ.get("SHOW_PLATFORM_LOG"):
            sys.stderr.write(_text(log.name, None))
        shutil.rmtree(data_dir, ignore_errors=True)


def _text(path: str, running: subprocess.Popen[bytes] | None) -> str:
    text = Path(path).read_text()
    if running is not None and running.poll() is not None:
        raise RuntimeError(f"the platform ended:\n{text[-4000:]}")
    return text


@pytest.fixture(scope="session")
def replayed_symbol(platform: Platform) -> str:
    """Offer a symbol that the recording has, while the platform runs."""
    added = platform.manage(
        *("add_symbol", "SUSHIUSDT", "--feed", "binance", "--source", "SUSHIUSDT", "--price-scale", "4"),
        *("--max-tick-age-ms", "5000", "--min-duration", "5"),
    )
    assert added.returncode == 0, added.stderr
    return "SUSHIUSDT"
