"""The rules as they are published: the words, the constants in force, the vectors (issue: fairness endpoints)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve

from quotes.domain import ADMISSION, ENTRY_RULES, SETTLEMENT_RULES
from quotes.payouts import PAYOUT_1
from settlement.fairness import rules, rules_api
from settlement.models import InvariantNight, Resettlement
from tests.market import market_open

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).parents[2] / "docs" / "rules"
BASE = "/api/v1/fairness"


def told(path: str = "") -> dict[str, Any]:
    answer = Client().get(BASE + path)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_each_rule_is_published_as_it_is_written() -> None:
    """Rules 4: every rule in force has its exact words, its constants, and its golden vectors where there are any."""
    heads = {rule["slug"]: rule for rule in told("/rules")["data"]}
    named = {f"{kind}_{name.replace('/', '_')}" for kind, names in (("entry", ENTRY_RULES),
             ("settlement", SETTLEMENT_RULES)) for name in names}  # fmt: skip
    assert set(heads) == named | {"admission_1", "payout_1"}
    for slug, head in heads.items():
        rule = told(f"/rules/{slug}")
        assert rule | head == rule
        page = (DOCS / rules.RULES[slug].page).read_bytes()
        assert (rule["words"].encode(), rule["words_sha256"]) == (page, hashlib.sha256(page).hexdigest())
        assert f"`{rule['name']}`" in rule["words"]
        if slug in named:
            vectors = (DOCS / "vectors" / f"{slug}.json").read_bytes()
            published = json.loads(vectors)
            assert (published["kind"], published["rule"]) == (rule["kind"], rule["name"])
            assert rule["vectors"] == published["vectors"]
            assert rule["vectors_sha256"] == hashlib.sha256(vectors).hexdigest()
        else:
            assert (rule["vectors"], rule["vectors_sha256"]) == (None, None)


def test_every_published_vector_is_published_with_a_rule() -> None:
    """Rules 4: no file of vectors is left out."""
    assert {rule.vectors for rule in rules.RULES.values()} - {None} == {
        path.name for path in DOCS.glob("vectors/*.json")
    }


def test_constants_are_those_of_the_code() -> None:
    """Rules: what is published is what runs, not what a page says."""
    found = {
        rule["name"]: {item["name"]: item["value"] for item in rule["constants"]} for rule in told("/rules")["data"]
    }
    assert found["admission/1"]["grace_ms"] == ADMISSION.grace_ms
    assert found["admission/1"]["outlier_percent"] == ADMISSION.outlier_percent
    assert found["payout/1"] == {
        "window_ms": PAYOUT_1.window_ms, "user_weight_percent_max": 10, "orders_min": 10, "users_min": 5, "step_max": 2,
        "percent_least": 50, "percent_most": 98}  # fmt: skip
    assert found["trimmed_mean_10s/1"]["window_ms"] == 10_000


def test_a_rule_names_the_symbols_that_it_binds() -> None:
    """Rules 2: the entry rule is public, by symbol; admission binds all."""
    market_open()
    market_open("GBPUSD", entry_rule="next_tick/1")
    found = {rule["slug"]: rule["symbols"] for rule in told("/rules")["data"]}
    assert (found["entry_last_tick_1"], found["entry_next_tick_1"]) == (["EURUSD"], ["GBPUSD"])
    assert found["settlement_last_tick_1"] == found["admission_1"] == ["EURUSD", "GBPUSD"]
    assert found["settlement_trimmed_mean_10s_1"] == []


@pytest.mark.parametrize("slug", ["last_tick_1", "settlement_last_tick_2", "..%2Fticks", "vectors"])
def test_an_unknown_rule_is_not_found(slug: str) -> None:
    """Contract, Errors: 404 for what does not exist."""
    assert Client().get(f"{BASE}/rules/{slug}").json()["code"] == "not_found"


def test_an_installation_without_the_files_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rules 4: a wheel without its data files is told of in words; with them, the copy is read."""
    monkeypatch.setattr(rules, "FOLDERS", (tmp_path,))
    rules.text_published.cache_clear()
    answer = Client().get(f"{BASE}/rules/payout_1")
    assert (answer.status_code, answer.json()["code"]) == (503, "rules.unavailable")
    (tmp_path / "payouts.md").write_text("installed words")
    assert told("/rules/payout_1")["words"] == "installed words"
    rules.text_published.cache_clear()


def test_the_payout_function_is_reckoned_by_itself() -> None:
    """Rules 5: the example of the page comes out as the page says; break-even is 100 / (100 + payout)."""
    found = told("/payout-function")
    assert (found["name"], found["example"]["payout_percent"], found["example"]["figures"]["raw"]) == (
        "payout/1",
        83,
        72,
    )
    assert (found["example"]["figures"]["won_weight"], found["example"]["figures"]["total_weight"]) == ("1400", "5000")
    assert "becomes **83**" in (DOCS / "payouts.md").read_text()
    even = {row["payout_percent"]: row["break_even_percent"] for row in found["break_even"]}
    assert (even[83], min(even), max(even)) == (54.6, 50, 98)


def test_the_index_leads_to_all_that_is_there() -> None:
    """Fairness: every address of the index answers; nothing is promised that this platform does not have."""
    found = told()
    assert (found["resettlement"], found["invariants"]) == (None, None)
    named = {item["name"] for item in found["addresses"]}
    assert named >= {"rules", "payout-function", "execution", "resettlements", "resettlements/days", "invariants",
                     "incidents"}  # fmt: skip
    for item in [*found["addresses"], *found["rules"]]:
        assert resolve(item["address"])
    assert named <= {name for name, _ in rules_api.ADDRESSES}


def test_the_index_has_the_newest_night() -> None:
    """Rules 3: the counts of the newest re-settlement and of the newest check of the invariants."""
    for at_ms in (1_000, 3_000, 2_000):
        Resettlement.objects.create(at_ms=at_ms, to_ms=at_ms, checked=at_ms, differences=0, unavailable=0)
        InvariantNight.objects.create(at_ms=at_ms, violations={"I-01 x": 0, "I-02 y": at_ms})
    found = told()
    assert (found["resettlement"]["checked"], found["resettlement"]["from"]) == (3_000, None)
    assert found["invariants"] == {"at": "1970-01-01T00:00:03.000Z", "checked": 2, "violated": 1}


@pytest.mark.parametrize("path", ["", "/rules", "/rules/payout_1", "/payout-function"])
def test_parameters_that_nobody_reads_are_refused(path: str) -> None:
    """Contract: unknown parameters are refused, not ignored."""
    assert Client().get(f"{BASE}{path}?window=1").status_code == 400
