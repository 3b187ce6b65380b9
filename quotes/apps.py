"""Django application of quotes."""

from django.apps import AppConfig


class QuotesConfig(AppConfig):
    """Symbols and their prices."""

    name = "quotes"
    verbose_name = "Market"
