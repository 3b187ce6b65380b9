"""Django application of trading."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Orders of all ledgers."""

    name = "trading"

    def ready(self) -> None:
        """Make the events of orders known."""
        from trading.events import events_register

        events_register()
