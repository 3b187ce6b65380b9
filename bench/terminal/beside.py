"""A fresh platform, and the browser's programs beside it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.soak.running import PlatformError, RunningPlatform

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 180.0
MANAGE_LIMIT_S = 90.0


async def started(feeds: Mapping[str, str]) -> RunningPlatform:
    """Start a platform in a folder of its own and wait until it answers.

    :raises PlatformError: it does not come up
    """
    running = RunningPlatform(feeds)
    running.start()
    until_s = time.monotonic() + START_LIMIT_S
    while problem := await asyncio.to_thread(running.readiness_problem):
        if time.monotonic() > until_s:
            running.stop()
            raise PlatformError(f"the platform is not ready: {problem}")
        await asyncio.sleep(0.5)
    return running


def commanded(running: RunningPlatform, *arguments: str) -> None:
    """Run one of the contract's commands beside the platform.

    :raises PlatformError: it fails
    """
    ended = running.manage(*arguments, timeout_s=MANAGE_LIMIT_S)
    if ended.returncode:
        raise PlatformError(f"{' '.join(arguments)}: {ended.stderr[-2_000:]}")


async def playwright(running: RunningPlatform, arguments: Sequence[str], extra: Mapping[str, str]) -> int:
    """Run Playwright against the platform and return its exit code."""
    environ = {**running.environ, **extra, "BASE_URL": running.url, "PYTHON_BIN": sys.executable}
    environ["PATH"] = os.environ.get("PATH", "")
    process = await asyncio.create_subprocess_exec(
        *("npx", "--no-install", "playwright", "test", *arguments), cwd=ROOT / "terminal", env=environ
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
