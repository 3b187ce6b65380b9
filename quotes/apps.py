"""Django application of quotes."""

from django.apps import AppConfig


class QuotesConfig(AppConfig):
    """Symbols and their prices."""

    name = "quotes"
    verbose_name = "Market"

    def ready(self) -> None:
        """Make the public events of the market known."""
        from quotes.events import events_register

        events_register()
