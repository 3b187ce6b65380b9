"""Django application of trading."""

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Orders of all ledgers."""

    name = "trading"

    def ready(self) -> None:
        """Make the events of orders known."""
        from trading import limits
        from trading.events import events_register

        assert limits
        events_register()
