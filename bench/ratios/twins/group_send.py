"""Quotes the conventional way: a Channels consumer for each socket, and ``group_send`` for each message."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.prod")

from django.core.asgi import get_asgi_application

_http = get_asgi_application()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 - Django's applications come first
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from bench.ratios.twins import QUOTES_GROUP as GROUP  # noqa: E402


class QuotesConsumer(AsyncWebsocketConsumer):
    """One socket."""

    async def connect(self) -> None:
        """Join the group."""
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        """Leave the group."""
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def tick(self, event: dict[str, Any]) -> None:
        """Tell a message."""
        await self.send(text_data=event["text"])


# Channels routes its own applications by Django's function, whose types know of views only.
_ROUTES: Any = [path("ws/quotes/", QuotesConsumer.as_asgi())]  # type: ignore[arg-type]

application = ProtocolTypeRouter({"http": _http, "websocket": URLRouter(_ROUTES)})
