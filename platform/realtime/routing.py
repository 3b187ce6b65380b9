"""The socket application of this app."""

from __future__ import annotations

from realtime.consumers import AccountConsumer

# A plain ASGI application: it judges origin and caller itself, without a stack of middleware.
websocket_application = AccountConsumer.as_asgi()
