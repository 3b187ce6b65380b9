"""Django application of settlement."""

from django.apps import AppConfig


class SettlementConfig(AppConfig):
    """Settles due orders and audits results."""

    name = "settlement"
