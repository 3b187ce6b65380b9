"""The bare ASGI application of ``/ws/quotes/``: no log-in, no framework."""

from __future__ import annotations

import asyncio
from typing import Any

from quotes.stream.conversation import Conversation
from quotes.stream.hub import hub
from quotes.stream.sockets import AsgiSocket


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve one socket from its opening to its end."""
    del scope
    await receive()
    await send({"type": "websocket.accept"})
    reader = asyncio.current_task()
    assert reader is not None
    socket = AsgiSocket(send, reader=reader)
    market = hub()
    market.attach(socket)
    conversation = Conversation(market, socket)
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            if not socket.closing:
                await conversation.hear(message.get("text"))
    except asyncio.CancelledError:
        if not socket.closing:
            raise
    finally:
        market.detach(socket)
        await socket.end()
