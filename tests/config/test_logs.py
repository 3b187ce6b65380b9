"""Logs tell what went wrong, and not what the variables were (S-39)."""

from __future__ import annotations

import logging
import sys

import pytest

from config.logs import logging_config


@pytest.mark.parametrize("for_people", [True, False])
def test_a_traceback_shows_no_variables(for_people: bool) -> None:
    """S-39: a canary in a local variable is not in the log of an error, whoever reads it."""
    settings = logging_config(level="INFO", for_people=for_people)["formatters"]["structured"]
    build = settings.pop("()")
    formatter = build(**settings)
    canary = "canary-" + "8f2c"
    try:
        raise ValueError(f"{len(canary)} characters are too many")
    except ValueError:
        record = logging.LogRecord("fairstrike", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    text = formatter.format(record)
    assert "ValueError: 11 characters are too many" in text
    assert canary not in text
