"""A settlement worker as a process: ``python -m bench.ratios.settler`` runs the platform's loop until told to stop."""

from __future__ import annotations

import sys

import django

django.setup()

from settlement.worker import SettlementLoop  # noqa: E402 - Django's applications come first


def main() -> None:
    """Run the loop until standard input says something or ends."""
    loop = SettlementLoop()
    loop.start()
    sys.stdout.write("running\n")
    sys.stdout.flush()
    sys.stdin.readline()
    loop.stop()
    loop.turned_at_s += 60


if __name__ == "__main__":
    main()
