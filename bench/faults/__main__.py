"""``python -m bench.faults [--minutes N] [--seed N] [--short]``: exit code 0 when everything holds, 1 when not."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from contextlib import ExitStack
from types import FrameType

from bench.faults.options import Options, options_parsed
from bench.faults.processes import FaultsError, Platform
from bench.faults.proxy import Pair, Proxy
from bench.faults.report import Document, page_write, report_text, report_write
from bench.faults.sources import Sources
from bench.soak.upstreams import Kraken, Upstream
from config.programs import EmbeddedError

INTERRUPTED = 130
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedRun(BaseException):
    """Somebody wants the run to end."""


def _ran(options: Options) -> Document:
    with ExitStack() as stack:
        sources, upstream, feed, endpoint = _sources(stack, options)
        platform = Platform(durable=not options.short, environ={"FEED_KRAKEN_URL": endpoint})
        result = platform.folder / "faults-report.json"
        if not options.keep:
            stack.callback(platform.tidy, result)
        stack.callback(platform.stop)
        sys.stderr.write(f"seed {options.seed}; report and logs in {platform.folder}\n")
        for name in [name for name in os.environ if name.endswith("_URL")]:
            del os.environ[name]
        os.environ.update(platform.environ, LOG_LEVEL="ERROR")
        import django

        django.setup()
        # These read the settings, which name the database that is known only now.
        from bench.faults.run import Run
        from bench.faults.world import World

        async def database() -> Pair:
            return await asyncio.open_unix_connection(platform.database_socket)

        behind = Proxy(database)
        # The web process always goes this way, so that its network can fail at any time.
        platform.overrides["web"] = {"DATABASE_URL": platform.database_url(sources.enter(behind.serving()))}
        world = World(platform, sources, upstream, feed, behind, options.seed)
        document = Run(options, world).document()
        report_write(document, result)
        document["report"] = str(result)
        return document


def _sources(stack: ExitStack, options: Options) -> tuple[Sources, Upstream, Proxy, str]:
    """Serve one source behind a proxy, and return its address there."""
    sources = Sources()
    stack.callback(sources.close)
    levels = {"BTC/USD": ("65390.0", 1)}
    upstream = Upstream("kraken", Kraken(), levels, random.Random(f"{options.seed}:kraken"), calm=True)
    address = sources.enter(upstream.serving("/v2"))
    port = int(address.rpartition(":")[2].partition("/")[0])

    async def source() -> Pair:
        return await asyncio.open_connection("127.0.0.1", port)

    feed = Proxy(source)
    return sources, upstream, feed, f"ws://127.0.0.1:{sources.enter(feed.serving())}/v2"


def _interrupted(_: int, __: FrameType | None) -> None:
    raise InterruptedRun


def main() -> int:
    """Run and print the report."""
    options = options_parsed(sys.argv[1:])
    for number in STOP_SIGNALS:
        signal.signal(number, _interrupted)
    try:
        document = _ran(options)
    except InterruptedRun:
        sys.stderr.write("interrupted; everything is stopped\n")
        return INTERRUPTED
    except (FaultsError, EmbeddedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{report_text(document)}\nreport: {document['report']}\n")
    if options.result:
        report_write(document, options.result)
    if options.page and not document["problems"]:
        page_write(document, options.page)
    return 1 if document["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
