"""Django application of the bridge."""

from django.apps import AppConfig


class EaConfig(AppConfig):
    """Signals of Expert Advisors, their log, and the orders that they become."""

    name = "ea"

    def ready(self) -> None:
        """Subscribe the bridge to settled orders, and make its events and invariants known."""
        from ea import events, results
        from ea.invariants import CHECKS
        from settlement.checks import checks_register

        events.register()
        results.connect()
        checks_register(CHECKS)
