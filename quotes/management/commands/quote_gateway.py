"""The quote gateway: ``/ws/quotes/`` at scale."""

from __future__ import annotations

import asyncio
import resource
import signal
from typing import Any

import structlog
import uvloop
from django.core.management.base import BaseCommand, CommandError, CommandParser

from quotes.stream.gateway import SOCKETS_PER_ADDRESS, Gateway

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Serve quotes until SIGTERM or SIGINT."""

    help = (
        "Serve /ws/quotes/ for many sockets from one process, with the messages of the web process. "
        "Let the reverse proxy send that path here; GET /healthz tells that the process is alive."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where to listen and how much one address may open."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on [127.0.0.1]")
        parser.add_argument("--port", type=int, default=8001, help="port to listen on; 0 takes a free one [8001]")
        parser.add_argument(
            "--sockets-per-address",
            type=int,
            default=SOCKETS_PER_ADDRESS,
            metavar="N",
            help=f"sockets that one client address may hold; IPv6 counts by /64 [{SOCKETS_PER_ADDRESS}]",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the gateway on one event loop."""
        _files_allowed()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(options["host"], options["port"], options["sockets_per_address"]))

    async def _serve(self, host: str, port: int, sockets_per_address: int) -> None:
        asked_to_end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked_to_end.set)
        gateway = Gateway(sockets_per_address=sockets_per_address)
        try:
            await gateway.start(host, port)
        except OSError as error:
            raise CommandError(f"{host}:{port}: {error.strerror}") from error
        self.stdout.write(f"quotes on ws://{host}:{gateway.port}/ws/quotes/")
        self.stdout.flush()
        try:
            await asked_to_end.wait()
        finally:
            await gateway.stop()
        log.info("quote_gateway_ended")


def _files_allowed() -> None:
    """Allow this process as many sockets as the system lets it have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
