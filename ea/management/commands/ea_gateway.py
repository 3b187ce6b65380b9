"""The gateway for Expert Advisors."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import resource
import signal
import ssl
import sys
from typing import Any

import structlog
import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ea.gateway.server import Gateway

log = structlog.get_logger(__name__)

# How long the loop may keep the interpreter while the thread of the log wants it.
SWITCH_S = 0.001


class Command(BaseCommand):
    """Serve Expert Advisors until SIGTERM or SIGINT."""

    help = (
        "Take signals of Expert Advisors over TCP on EA_PORT and over WebSocket on the next port, write them to the "
        "log and acknowledge them. What they become is the work of ea_executor."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare where to listen and how."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on [127.0.0.1]")
        parser.add_argument("--port", type=int, default=None, help="port for TCP; 0 takes two free ones [EA_PORT]")
        parser.add_argument("--tls-cert", metavar="FILE", help="certificate chain in PEM; then both ports speak TLS")
        parser.add_argument("--tls-key", metavar="FILE", help="its private key in PEM")
        parser.add_argument(
            "--behind-proxy", action="store_true", help="listen beyond this machine without TLS: a proxy adds it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the gateway on one event loop."""
        tls = _tls(options["tls_cert"], options["tls_key"])
        host = options["host"]
        if tls is None and not options["behind_proxy"] and not _loopback(host):
            raise CommandError(f"{host} is seen from outside: give --tls-cert and --tls-key, or --behind-proxy")
        port = settings.EA_PORT if options["port"] is None else options["port"]
        _files_allowed()
        # What is loaded by now stays; looking through it for garbage again and again would hold up every connection.
        gc.freeze()
        sys.setswitchinterval(SWITCH_S)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(host, port, tls))

    async def _serve(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        asked_to_end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, asked_to_end.set)
        gateway = Gateway()
        try:
            await gateway.start(host, port, tls=tls)
        except OSError as error:
            await gateway.stop()
            raise CommandError(f"{host}:{port}: {error.strerror}") from error
        self.stdout.write(f"signals on tcp://{host}:{gateway.port} and ws://{host}:{gateway.ws_port}/")
        self.stdout.flush()
        try:
            await asked_to_end.wait()
        finally:
            await gateway.stop()
        log.info("ea_gateway_ended")


def _tls(cert: str | None, key: str | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise CommandError(f"{cert}: {error}") from error
    return context


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _files_allowed() -> None:
    """Allow this process as many sockets as the system lets it have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
