"""ASGI application: web and gateway on one port."""

from __future__ import annotations

import asyncio
import os
import warnings
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
# Each request runs on a thread of its own here, so connections outlive requests in a pool only.
os.environ.setdefault("DATABASE_POOL_SIZE", "12")

# Static files are read from disk in one piece; that this blocks for a moment is known.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

django_application = get_asgi_application()

from quotes.stream import application as quotes_stream  # noqa: E402 - needs Django's applications
from realtime.routing import websocket_application as account_stream  # noqa: E402
from trading.refusals import refusals_end  # noqa: E402

_SOCKETS: dict[str, Any] = {"/ws/quotes/": quotes_stream, "/ws/v1/": account_stream}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send each connection to its application; unknown sockets are refused."""
    if scope["type"] == "http":
        await django_application(scope, receive, send)
    elif scope["type"] == "websocket":
        stream = _SOCKETS.get(scope["path"])
        if stream is None:
            await receive()
            await send({"type": "websocket.close", "code": 4404})
        else:
            await stream(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    """Answer the server's start and stop; each stream starts its own tasks with its first socket."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            # The server ends by its signal and not by Python's own exit: nothing registered there would run.
            await asyncio.to_thread(refusals_end)
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
