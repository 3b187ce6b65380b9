"""Django application of the ground floor."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    """Commands and conventions that know no domain app."""

    name = "kernel"
