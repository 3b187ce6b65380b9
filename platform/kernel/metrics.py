"""Counters of one process, told in the Prometheus text format."""

from __future__ import annotations

from collections import Counter
from threading import Lock

_lock = Lock()
_counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()


def count(name: str, amount: int = 1, /, **labels: str) -> None:
    """Add to a counter; names are snake_case nouns, labels few and bounded."""
    key = (name, tuple(sorted(labels.items())))
    with _lock:
        _counts[key] += amount


def counted(name: str, /, **labels: str) -> int:
    """Return the sum of a counter over all label sets that contain ``labels``."""
    wanted = set(labels.items())
    with _lock:
        return sum(value for (key, pairs), value in _counts.items() if key == name and wanted <= set(pairs))


def exposition() -> str:
    """Return all counters in the Prometheus text format."""
    with _lock:
        rows = sorted(_counts.items())
    lines: list[str] = []
    for (name, pairs), value in rows:
        labels = ",".join(f'{label}="{_escaped(text)}"' for label, text in pairs)
        lines.append(f"fairstrike_{name}_total{{{labels}}} {value}" if labels else f"fairstrike_{name}_total {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
