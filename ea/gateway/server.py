"""Both listeners of a gateway and its orderly end."""

from __future__ import annotations

import asyncio
import ssl

from picows import WSAutoPingStrategy, ws_create_server

from ea.framing import PAYLOAD_BYTES_MAX
from ea.gateway.hub import Hub
from ea.gateway.tcp import TcpClient
from ea.gateway.websocket import listener_of
from kernel.sockets import SocketFaults

_BACKLOG = 1_024


class Gateway:
    """The server: TCP on one port, WebSocket on the next."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.port = self.ws_port = 0
        self._servers: list[asyncio.Server] = []

    async def start(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Listen; port 0 takes two free ones.

        :raises OSError: when an address is not free
        """
        loop = asyncio.get_running_loop()
        self.hub.start()
        tcp = await loop.create_server(lambda: TcpClient(self.hub), host, port, backlog=_BACKLOG, ssl=tls)
        self._servers.append(tcp)
        self.port = tcp.sockets[0].getsockname()[1]
        websocket = await ws_create_server(
            lambda request: listener_of(self.hub, request),
            host,
            port + 1 if port else 0,
            logger_name=SocketFaults(__name__, "ea_sockets_broken"),
            # Larger messages than a client may send are read up to here, so that it hears why it is closed.
            max_frame_size=2 * PAYLOAD_BYTES_MAX,
            read_buffer_init_size=4 * 1024,
            enable_auto_pong=False,
            # The protocol of the bridge has heartbeats of its own.
            enable_auto_ping=False,
            auto_ping_strategy=WSAutoPingStrategy.PING_PERIODICALLY,
            backlog=_BACKLOG,
            ssl=tls,
        )
        self._servers.append(websocket)
        self.ws_port = websocket.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Take no new connection, answer what waits for the log, close the others, and end."""
        for server in self._servers:
            server.close()
        await self.hub.stop()
