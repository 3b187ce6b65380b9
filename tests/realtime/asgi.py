"""The account stream alone, as a server of its own."""

from __future__ import annotations

import django

django.setup()

from realtime.routing import websocket_application  # noqa: E402 - needs Django's applications

application = websocket_application
