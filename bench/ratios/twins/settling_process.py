"""The loop of the ORM in a process with conventional settings: each line of standard input asks for so many orders."""

from __future__ import annotations

import json
import sys
import time

import django

django.setup()

from bench.ratios.processors import own_cpu_s  # noqa: E402 - Django's applications come first
from bench.ratios.twins.settling import orders_settled  # noqa: E402


def main() -> None:
    """Settle as often as asked, and tell how long it took."""
    for line in sys.stdin:
        cpu_s, began_s = own_cpu_s(), time.perf_counter()
        done = orders_settled(int(line))
        told = {"done": done, "wall_s": time.perf_counter() - began_s, "cpu_s": own_cpu_s() - cpu_s}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
