"""Django application of the bridge."""

from django.apps import AppConfig


class EaConfig(AppConfig):
    """Signals of Expert Advisors, their log, and the orders that they become."""

    name = "ea"

    def ready(self) -> None:
        """Subscribe the bridge to settled orders."""
        from ea import results

        results.connect()
