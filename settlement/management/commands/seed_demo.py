"""Fill a newcomer's platform: symbols of the simulator and demo log-ins (never in production)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.services import user_ensure
from quotes.services import demo_symbols_seed

TRADERS = (("trader@example.com", "trader-demo-1"), ("trader2@example.com", "trader-demo-2"))
OPERATOR = ("admin@example.com", "admin-demo-1")


class Command(BaseCommand):
    """``seed_demo``; a repeat changes nothing."""

    help = "Add the simulator's symbols and the demo log-ins. Refused in production."

    def handle(self, *args: Any, **options: Any) -> None:
        """Add what is missing."""
        if not settings.DEVELOPMENT:
            raise CommandError("demo log-ins exist only outside production")
        demo_symbols_seed()
        for email, password in TRADERS:
            user_ensure(email=email, password=password)
        user_ensure(email=OPERATOR[0], password=OPERATOR[1], is_staff=True, is_superuser=True)
        self.stdout.write("demo symbols and log-ins are there")
