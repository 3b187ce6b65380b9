"""The socket ``/ws/quotes/``: public quotes, many sockets for little work."""

from quotes.stream.endpoint import application

__all__ = ["application"]
