"""``python -m bench.soak [--minutes N] [--rate N] [--seed N]``: exit code 0 when the platform holds, 1 when not."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from contextlib import AsyncExitStack

from bench.soak.market import levels
from bench.soak.options import Options, options_parsed
from bench.soak.report import Document, report_text, report_write
from bench.soak.running import PlatformError, RunningPlatform
from bench.soak.upstreams import Binance, Deriv, Dialect, Kraken, Upstream

START_LIMIT_S = 180.0
INTERRUPTED = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DIALECTS: dict[str, tuple[Dialect, str]] = {
    "binance": (Binance(), "/stream"),
    "kraken": (Kraken(), "/v2"),
    "deriv": (Deriv(), "/websockets/v3?app_id=1"),
}


async def _soaked(options: Options) -> Document:
    async with AsyncExitStack() as stack:
        upstreams, endpoints = [], {}
        for name, (dialect, path) in DIALECTS.items():
            upstream = Upstream(name, dialect, levels(name), random.Random(f"{options.seed}:{name}"))
            endpoints[f"FEED_{name.upper()}_URL"] = await stack.enter_async_context(upstream.serving(path))
            upstreams.append(upstream)
        running = RunningPlatform(endpoints)
        sys.stderr.write(f"seed {options.seed}; data and logs in {running.data_dir}\n")
        document: Document = {}
        # Called last, when all processes have ended.
        stack.callback(lambda: _left(running, document, options))
        stack.callback(running.stop)
        running.start()
        await _ready(running)
        _django_set_up(running)
        # These know the database of the platform, which is known only now.
        from bench.soak.run import Run

        document.update(await Run(options, running, upstreams).document())
        document["report"] = str(report_write(document, running.data_dir))
    return document


def _left(running: RunningPlatform, document: Document, options: Options) -> None:
    """Keep the database of a run that has failed, for a look; of others the report and the log."""
    interrupted = isinstance(sys.exception(), asyncio.CancelledError)
    if not options.keep and (interrupted or document.get("problems") == []):
        running.tidy()


async def _ready(running: RunningPlatform) -> None:
    until_s = time.monotonic() + START_LIMIT_S
    while problem := await asyncio.to_thread(running.readiness_problem):
        if time.monotonic() > until_s:
            raise PlatformError(f"not ready after {START_LIMIT_S:.0f} s: {problem}; see {running.log}")
        await asyncio.sleep(0.25)


def _django_set_up(running: RunningPlatform) -> None:
    for name in [name for name in os.environ if name.endswith("_URL")]:
        del os.environ[name]
    os.environ.update(running.environ, LOG_LEVEL="ERROR")
    import django

    django.setup()


async def _until_stopped(options: Options) -> Document:
    task = asyncio.current_task()
    assert task is not None
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await _soaked(options)


def main() -> int:
    """Run the soak and print its report."""
    options = options_parsed(sys.argv[1:])
    try:
        document = asyncio.run(_until_stopped(options))
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.stderr.write("interrupted; everything is stopped\n")
        return INTERRUPTED
    except PlatformError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{report_text(document)}\nreport: {document['report']}\n")
    return 1 if document["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
