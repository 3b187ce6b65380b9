"""The style guide is a test, and each of its rules is shown to bite."""

from pathlib import PurePosixPath

import pytest

from tests.architecture import tidy
from tests.architecture.tidy import Rule, Source

LONG_FUNCTION = "def long() -> None:\n" + "    pass\n" * 60
BAD = [
    (tidy.functions_are_short, "quotes/parser.py", LONG_FUNCTION),
    (tidy.functions_are_short, "tests/quotes/test_parser.py", LONG_FUNCTION),
    (tidy.files_are_short, "trading/services.py", "x = 1\n" * 501),
    (tidy.files_are_short, "tests/trading/test_orders.py", "x = 1\n" * 901),
    (tidy.time_comes_in_as_an_argument, "trading/services.py", "now = datetime.now(tz=UTC)"),
    (tidy.time_comes_in_as_an_argument, "settlement/domain/outcome.py", "now_ms = int(time.time() * 1000)"),
    (tidy.rules_of_money_are_exact, "trading/domain.py", "profit = float(stake)"),
    (tidy.rules_of_money_are_exact, "platform/ledger/domain.py", "fee = stake * 0.1"),
    (tidy.tasks_follow_commits, "settlement/services.py", "wake.delay()"),
    (tidy.tasks_follow_commits, "trading/api.py", "app.tasks.wake.apply_async(expires=1)"),
    (tidy.tests_do_not_sleep, "tests/quotes/test_parser.py", "time.sleep(0.5)"),
    (tidy.tests_do_not_sleep, "tests/realtime/test_socket.py", "async def test() -> None:\n    await asyncio.sleep(1)"),
]
GOOD = [
    (tidy.functions_are_short, "quotes/parser.py", "def short() -> None:\n" + "    pass\n" * 59),
    (tidy.time_comes_in_as_an_argument, "trading/api.py", "now = datetime.now(tz=UTC)"),
    (tidy.tasks_follow_commits, "settlement/services.py", "transaction.on_commit(wake.delay)"),
    (tidy.tests_do_not_sleep, "tests/realtime/test_socket.py", "async def test() -> None:\n    await asyncio.sleep(0)"),
    (tidy.tests_do_not_sleep, "tests/quotes/test_parser.py", "time.sleep(every_s)"),
    (tidy.tests_do_not_sleep, "tests/quotes/replay.py", "time.sleep(0.01)"),
]


def _case(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("rule", tidy.RULES, ids=_case)
def test_our_sources_are_tidy(rule: Rule) -> None:
    sources = tidy.sources()

    assert len(sources) > 100
    assert [finding for source in sources for finding in rule(source)] == []


@pytest.mark.parametrize(("rule", "path", "text"), BAD, ids=_case)
def test_each_rule_bites(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(Source(PurePosixPath(path), text)))) == 1


@pytest.mark.parametrize(("rule", "path", "text"), GOOD, ids=_case)
def test_what_the_rules_allow(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(PurePosixPath(path), text))) == []


def test_every_rule_has_a_counterexample() -> None:
    assert {rule for rule, _, _ in BAD} == set(tidy.RULES)
