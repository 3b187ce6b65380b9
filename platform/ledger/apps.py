"""Django application of the ledger."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """Opens the wallets of each new user."""

    name = "ledger"

    def ready(self) -> None:
        """Subscribe to sign-ups."""
        from ledger import subscribers

        subscribers.connect()
