"""Start-up of the realtime app."""

from __future__ import annotations

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """The event log and its delivery."""

    name = "realtime"
    verbose_name = "Events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Open an event counter for each new user and tell users of their ban."""
        from realtime import balances, subscribers

        subscribers.connect()
        balances.connect()
