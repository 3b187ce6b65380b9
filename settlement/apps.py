"""Django application of settlement."""

from django.apps import AppConfig


class SettlementConfig(AppConfig):
    """Settles due orders, counts what was settled and audits results."""

    name = "settlement"

    def ready(self) -> None:
        """Subscribe the statistics to settled orders."""
        from settlement import statistics

        statistics.connect()
