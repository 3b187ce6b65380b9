"""What socket servers of picows share."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from kernel.metrics import count


class SocketFaults(logging.LoggerAdapter[logging.Logger]):
    """What picows tells of clients and their faults is counted; failures on our side are logged.

    :param counter: the metric that counts them
    """

    def __init__(self, name: str, counter: str) -> None:
        super().__init__(logging.getLogger(name))
        self._counter = counter

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        """Log what has a traceback, count the other errors."""
        if kwargs.get("exc_info"):
            super().log(level, msg, *args, **kwargs)
        elif level >= logging.ERROR:
            count(self._counter)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add nothing."""
        return msg, kwargs
