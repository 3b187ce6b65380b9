"""The rules as they are published: their exact words, the constants in force, and golden vectors.

Words and vectors are the files of ``docs/rules``: beside the sources in a checkout, and among the installed data files
where the platform was installed from a wheel.
"""

from __future__ import annotations

import hashlib
import json
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kernel.errors import Problem
from quotes.domain import ADMISSION, ADMISSION_VERSION, ENTRY_RULES, FEED_SILENT_MS, SETTLEMENT_RULES
from quotes.models import PAYOUT_LEAST, PAYOUT_MOST, Symbol
from quotes.payouts import PAYOUT_1
from settlement.domain import TRIMMED_WINDOW_MS
from trading.domain import NEXT_TICK, TRIMMED_MEAN

_CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = (
    *([_CHECKOUT / "docs" / "rules"] if (_CHECKOUT / "pyproject.toml").is_file() else []),
    Path(sysconfig.get_path("data")) / "share" / "fairstrike" / "rules",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A published rule.

    :param page: the page of its words
    :param vectors: the file of its golden vectors, where there is one
    """

    slug: str
    kind: str
    name: str
    page: str
    vectors: str | None = None

    @property
    def version(self) -> int:
        """The number after the name; another number is another rule."""
        return int(self.name.rpartition("/")[2])


def _slug(kind: str, name: str) -> str:
    return f"{kind}_{name.replace('/', '_')}"


def _choosable(kind: str, names: Sequence[str], page: str) -> list[Rule]:
    return [Rule(_slug(kind, name), kind, name, page, f"{_slug(kind, name)}.json") for name in names]


RULES = {
    rule.slug: rule
    for rule in (
        Rule(ADMISSION_VERSION.replace("/", "_"), "admission", ADMISSION_VERSION, "ticks.md"),
        *_choosable("entry", ENTRY_RULES, "orders.md"),
        *_choosable("settlement", SETTLEMENT_RULES, "settlement.md"),
        Rule(PAYOUT_1.version.replace("/", "_"), "payout", PAYOUT_1.version, "payouts.md"),
    )
}


def constants(rule: Rule) -> dict[str, int]:
    """Return the constants that the code has in force, the same for everybody; names end with their units."""
    if rule.kind == "admission":
        return asdict(ADMISSION) | {"feed_silent_ms": FEED_SILENT_MS}
    if rule.kind == "payout":
        kept = {name: value for name, value in asdict(PAYOUT_1).items() if name != "version"}
        return kept | {"percent_least": PAYOUT_LEAST, "percent_most": PAYOUT_MOST}
    if rule.name == TRIMMED_MEAN:
        return {"window_ms": TRIMMED_WINDOW_MS, "grace_ms": ADMISSION.grace_ms}
    waits = rule.kind == "settlement" or rule.name == NEXT_TICK
    return {"grace_ms": ADMISSION.grace_ms} if waits else {}


def symbols_under(rule: Rule) -> list[str]:
    """Return the symbols whose new orders are bound by a rule; those of everybody's rules are all symbols."""
    fields = {"entry": "entry_rule", "settlement": "settlement_rule"}
    named = {fields[rule.kind]: rule.name} if rule.kind in fields else {}
    return list(Symbol.objects.filter(**named).order_by("position", "code").values_list("code", flat=True))


def rule_document(rule: Rule) -> dict[str, Any]:
    """Return a rule with its words and vectors.

    :raises Problem: ``rules.unavailable`` where this installation has no copy of them
    """
    words = text_published(rule.page)
    vectors = None if rule.vectors is None else text_published(f"vectors/{rule.vectors}")
    return head_document(rule) | {
        "words": words,
        "words_sha256": hashlib.sha256(words.encode()).hexdigest(),
        "vectors": None if vectors is None else json.loads(vectors)["vectors"],
        "vectors_sha256": None if vectors is None else hashlib.sha256(vectors.encode()).hexdigest(),
    }


def head_document(rule: Rule) -> dict[str, Any]:
    """Return what lists tell of a rule."""
    return {
        "slug": rule.slug,
        "kind": rule.kind,
        "name": rule.name,
        "version": rule.version,
        "constants": [{"name": name, "value": value} for name, value in constants(rule).items()],
        "symbols": symbols_under(rule),
    }


@cache
def text_published(name: str) -> str:
    """Return a file of ``docs/rules``.

    :raises Problem: ``rules.unavailable``
    """
    for folder in FOLDERS:
        path = folder / name
        if path.is_file():
            return path.read_bytes().decode()
    raise Problem(
        "rules.unavailable",
        status=503,
        title="This installation has no copy of the rules' words.",
        detail=f"{name} is in none of the folders that it is looked for in; install the wheel with its data files.",
    )
