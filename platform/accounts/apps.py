"""Start-up of the accounts app."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, tokens and the access trail."""

    name = "accounts"
    verbose_name = "People"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the recorders of the access trail."""
        from accounts import subscribers

        subscribers.connect()
