"""The executor of the bridge."""

from __future__ import annotations

import signal
from threading import Event
from typing import Any

import redis  # noqa: F401 - orders are told of by Redis: the first one does not wait until its library is loaded
import structlog
from django.core.management.base import BaseCommand

from ea.worker import Executor

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Turn logged signals into orders until SIGTERM or SIGINT."""

    help = "Decide the signals in the log of the bridge and place their orders. A second executor stands by."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the lanes."""
        asked_to_end = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: asked_to_end.set())
        executor = Executor()
        executor.start()
        self.stdout.write("executing signals")
        self.stdout.flush()
        while not asked_to_end.wait(1.0):
            pass
        executor.stop()
        log.info("ea_executor_ended")
