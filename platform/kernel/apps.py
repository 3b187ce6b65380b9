"""Django application of the ground floor."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    """Commands and conventions that know no domain app."""

    name = "kernel"

    def ready(self) -> None:
        """Register the checks of the installation."""
        from kernel import checks  # noqa: F401 - importing registers
