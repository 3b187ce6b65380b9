"""The published examples get the verdicts that are published with them (docs/fairness/vectors)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fairstrike_verify import Outcome, verify
from tests.verify.published import FOLDER, files

INDEX: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text())


def _name(row: dict[str, Any]) -> str:
    given = [row["receipt"], *row["archives"], row["keys"], row["heads"], row["manifest"]]
    return " ".join(one for one in given if one)


@pytest.mark.parametrize("row", INDEX, ids=_name)
def test_an_example_gets_its_verdict(row: dict[str, Any]) -> None:
    """Issue: honest evidence verifies, and what dishonest hands made of it does not, the key's holder's included."""
    given = {name: row[name] and str(FOLDER / row[name]) for name in ("keys", "heads", "manifest")}
    names = [one for one in (row["receipt"], *row["archives"]) if one]
    report = verify([str(FOLDER / one) for one in names], **given)
    failed = [line.words for line in report.lines if line.outcome is Outcome.FAILED]
    assert report.verdict == row["verdict"], failed


def test_the_examples_are_made_again_byte_by_byte() -> None:
    """Formats: the examples come from the platform's own code for receipts, so that both stay one."""
    made = files()
    published = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix != ".md"}
    assert sorted(made) == sorted(published)
    assert [name for name in made if made[name] != published[name]] == []
    assert sum(map(len, made.values())) < 300_000
