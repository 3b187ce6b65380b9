"""The compiled experts against the real gateway, executor, web process and settlement: one order a deal (ea 7, F-20).

The server of the other tests here is a second reading of the wire; this is the platform itself, with a bad network
in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from bench.faults import books
from ea.models import Alert, EaOrder, Event
from ea.mql.testkit import trial
from tests.books import violations
from tests.ea.bridge import Installation, installation, market_heard
from tests.ea.mql.desk import Chart
from tests.ea.mql.real import Real, real_running
from tests.market import Market
from tests.support import eventually
from trading.models import Order

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.xdist_group("ea-real"),
]

# The chain of a gateway that outlives a test begins in tables that are empty by then.
CHAIN = "I-34 the log of the bridge is chained without a break"
MakeChart = Callable[..., Chart]
WITHIN_S = 20.0
# Deals wait while something is away; what is about deadlines is tested elsewhere.
PATIENT = {"InpValidMs": 60_000, "InpLedger": "demo"}
EXPERTS = [("signal", "tcp"), ("signal", "ws"), ("mt4", "http")]


@pytest.fixture(scope="module")
def platform(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Real]:
    with django_db_blocker.unblock(), real_running(tmp_path_factory.mktemp("real")) as real:
        connections.close_all()
        yield real


@pytest.fixture
def real(platform: Real) -> Iterator[Real]:
    yield platform
    platform.healed()


@pytest.fixture
def market() -> Iterator[Market]:
    with market_heard() as market:
        yield market


@pytest.fixture
def one() -> Installation:
    return installation()


def books_hold() -> bool:
    """Whether nothing is double and every invariant holds."""
    found = {name: count for name, count in violations().items() if name != CHAIN}
    assert (found, books.doubled()) == ({}, 0)
    return True


def traded(chart: Chart, expert: str, *kinds: str) -> None:
    """Open a position for each of some kinds, ``buy`` or ``sell``."""
    word = "order" if expert == "mt4" else "deal"
    chart.terminal.do(*(f"{word} type={kind}" for kind in kinds))


def ordered(chart: Chart, count: int, *, lost: int | None = None) -> list[Order]:
    """Wait until so many deals are orders and the chart's spool is empty, and see that each deal is one order.

    Nothing is lost: numbers have no gap. Nothing is double: tickets, events and orders are as many as the deals.

    :param lost: a number that went with a torn line; its deal has another one
    """
    eventually(lambda: EaOrder.objects.filter(state="open").count() == count, within_s=WITHIN_S)
    eventually(lambda: chart.waiting() == 0, within_s=WITHIN_S)
    events = list(Event.objects.order_by("id"))
    seqs = [seq for seq in range(1, count + 2) if seq != lost][:count]
    assert [event.seq for event in events] == seqs
    assert len({event.src_ticket for event in events}) == count
    orders = list(Order.objects.order_by("accepted_at_ms", "id"))
    assert sorted(order.client_order_id for order in orders) == sorted(f"ea:{event.event_id}" for event in events)
    assert {(order.source, order.book) for order in orders} == {("ea", "demo")}
    assert books_hold()
    return orders


@contextmanager
def unheard(real: Real, transport: str, logged: int) -> Iterator[None]:
    """Let the server's answers be lost until so many events are in its log; then the link is cut."""
    way = real.ways[transport]
    way.spoiling.drop_replies = True
    yield
    eventually(lambda: Event.objects.count() == logged, within_s=WITHIN_S)
    way.cut()
    eventually(lambda: way.links == 0, within_s=WITHIN_S)
    way.spoiling.drop_replies = False


@pytest.mark.parametrize(("expert", "transport"), [*EXPERTS, ("signal", "http"), ("monitor", "tcp"), ("monitor", "ws")])
def test_deals_become_orders_and_their_results_stand_on_the_chart(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str
) -> None:
    """ea 5, 6: from a deal to money and back; a call that wins and a put that loses, each told to the chart."""
    at = chart(expert, transport, real.endpoint(one), InpStake="2.50", **PATIENT)

    traded(at, expert, "buy", "sell")

    orders = ordered(at, 2)
    assert {(order.direction, order.stake) for order in orders} == {("up", 250), ("down", 250)}
    assert one.trader.balance() == 1_000_000 - 500
    at.terminal.wait_for(lambda: sum("] order" in line and "accepted" in line for line in at.terminal.lines) == 2)
    market.admitted("1.09000", at_ms=min(order.expires_at_ms for order in orders))
    market.admitted("1.09000", at_ms=max(order.expires_at_ms for order in orders) + 5_000)
    at.terminal.wait_for(lambda: at.terminal.said("settled won, payout 4.62"))
    at.terminal.wait_for(lambda: at.terminal.said("settled lost, payout 0.00"))
    assert set(EaOrder.objects.values_list("state", flat=True)) == {"settled"}
    assert (one.trader.balance(), one.trader.open_stakes()) == (1_000_000 - 500 + 462, 0)
    assert books_hold()
    at.terminal.stop()


@pytest.mark.parametrize(("expert", "transport"), [("signal", "ws"), ("mt4", "http")])
def test_the_trial_of_the_sandbox(
    real: Real, market: Market, one: Installation, tmp_path: Path, expert: str, transport: str
) -> None:
    """docs/ea/sandbox.md: one command, one deal, one result; by TCP it runs with that page."""
    key, ports = tmp_path / "key", real.ports
    key.write_text(f"{one.key.kid} {one.secret}\n")
    asked = {"key": key, "account": one.link.account, "server": one.link.server, "symbol": market.code}
    asked |= {"expert": expert, "transport": transport, "port": ports["tcp"], "web-port": ports["http"]}
    with ThreadPoolExecutor(1) as threads:
        code = threads.submit(trial.main, [word for name, value in asked.items() for word in (f"--{name}", str(value))])
        eventually(lambda: EaOrder.objects.filter(state="open").count() == 1, within_s=60)
        for after_ms in (0, 5_000):
            market.admitted("1.09000", at_ms=Order.objects.get().expires_at_ms + after_ms)
        assert code.result(timeout=60) == 0
    assert set(EaOrder.objects.values_list("state", flat=True)) == {"settled"}


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_the_trial_promises_no_way_that_an_expert_does_not_know(
    transport: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--key", str(tmp_path / "key"), "--account", "1", "--server", "s", "--expert", "mt4"]
    with pytest.raises(SystemExit):
        trial.main([*asked, "--transport", transport])
    assert "--transport http only" in capsys.readouterr().err


@pytest.mark.parametrize(("expert", "transport"), EXPERTS)
def test_a_server_that_is_absent_at_the_start(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str
) -> None:
    real.ways[transport].spoiling.refusing = True
    at = chart(expert, transport, real.endpoint(one), **PATIENT)
    traded(at, expert, *["buy"] * 3)
    eventually(lambda: at.waiting() == 3, within_s=WITHIN_S)

    real.healed()

    ordered(at, 3)
    at.terminal.stop()


@pytest.mark.parametrize(("expert", "transport"), EXPERTS)
def test_a_link_that_is_cut_before_the_acknowledgement(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str
) -> None:
    """F-20: it is logged, and may be an order already, when it comes again."""
    at = chart(expert, transport, real.endpoint(one), **PATIENT)
    traded(at, expert, "buy")
    ordered(at, 1)

    with unheard(real, transport, logged=2):
        traded(at, expert, "sell")

    ordered(at, 2)
    eventually(lambda: "(again 1)" in at.terminal.comment(), within_s=WITHIN_S)
    at.terminal.stop()


@pytest.mark.parametrize(("expert", "transport"), EXPERTS)
def test_half_an_acknowledgement(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str
) -> None:
    """F-20: a frame of which some bytes come, and then nothing ever."""
    at = chart(expert, transport, real.endpoint(one), **PATIENT)
    way = real.ways[transport]
    eventually(lambda: "link: up" in at.terminal.comment(), within_s=WITHIN_S)

    # Over HTTP each answer has a connection of its own.
    way.spoiling.cut_after_bytes = 200 if transport == "http" else way.replied + 20
    traded(at, expert, "buy", "sell")
    eventually(lambda: Event.objects.count() == 2, within_s=WITHIN_S)
    eventually(lambda: way.links == 0, within_s=WITHIN_S)
    real.healed()

    ordered(at, 2)
    at.terminal.stop()


@pytest.mark.parametrize(("expert", "transport"), EXPERTS[::2])
def test_acknowledgements_that_take_their_time(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str
) -> None:
    real.ways[transport].spoiling.delay_s = 0.15
    at = chart(expert, transport, real.endpoint(one), **PATIENT)

    traded(at, expert, "buy", "sell")

    ordered(at, 2)
    assert "(again 0)" in at.terminal.comment(), "a slow answer is no reason to send again"
    at.terminal.stop()


@pytest.mark.parametrize(
    ("expert", "transport", "runtime"),
    [("signal", "tcp", "gateway"), ("mt4", "http", "web"), ("signal", "ws", "executor")],
)
def test_a_runtime_is_killed_in_the_middle(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str, runtime: str
) -> None:
    """F-20: SIGKILL while deals go on; what it had in hand comes again or is found by the next one."""
    at = chart(expert, transport, real.endpoint(one), **PATIENT)
    traded(at, expert, "buy", "sell", "buy")

    real.kill(runtime)
    traded(at, expert, "sell", "buy")
    real.start(runtime)
    traded(at, expert, "sell")

    ordered(at, 6)
    at.terminal.stop()


@pytest.mark.parametrize(("expert", "transport"), EXPERTS[::2])
def test_a_clock_that_is_set(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str
) -> None:
    """ea 5: a clock that is off by less than a minute is reckoned with at once."""
    at = chart(expert, transport, real.endpoint(one), InpLedger="demo", InpValidMs=5_000)
    traded(at, expert, "buy")
    ordered(at, 1)

    at.terminal.do("step ms=-30000")
    traded(at, expert, "buy")

    ordered(at, 2)
    at.terminal.stop()


@pytest.mark.parametrize(("expert", "transport"), EXPERTS)
def test_a_clock_that_is_wrong_from_the_start(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str
) -> None:
    """ea 5: what waits for the link is not judged before the clock was measured over it."""
    real.ways[transport].spoiling.refusing = True
    at = chart(expert, transport, real.endpoint(one), InpLedger="demo", InpValidMs=5_000)
    at.terminal.do("step ms=-30000", "sleep ms=200")
    traded(at, expert, "buy")
    eventually(lambda: at.waiting() == 1, within_s=WITHIN_S)

    real.healed()

    ordered(at, 1)
    at.terminal.stop()


@pytest.mark.parametrize(
    ("expert", "transport", "told"),
    [("signal", "tcp", "denied signal.clock"), ("mt4", "http", "a clock may be off by 60000 ms at most")],
)
def test_a_clock_that_is_an_hour_off_trades_nothing(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str, told: str
) -> None:
    """ea 5: beyond a minute nothing is reckoned with. The chart says why; once the clock is set, deals go on."""
    at = chart(expert, transport, real.endpoint(one), **PATIENT)
    eventually(lambda: "link: up" in at.terminal.comment(), within_s=WITHIN_S)
    at.terminal.do("step ms=-3600000")
    traded(at, expert, "buy")
    at.terminal.wait_for(lambda: at.terminal.said(told))

    at.terminal.do("step ms=3600000")
    traded(at, expert, "buy")

    eventually(lambda: EaOrder.objects.filter(state="open").count() == 1, within_s=WITHIN_S)
    eventually(lambda: at.waiting() == 0, within_s=WITHIN_S)
    eventually(lambda: EaOrder.objects.filter(state__in=("denied", "expired")).count() == 1, within_s=WITHIN_S)
    assert Order.objects.count() == 1
    assert books_hold()
    at.terminal.stop()


@pytest.mark.parametrize(("expert", "transport"), EXPERTS)
def test_a_crash_offline_with_a_torn_spool(
    chart: MakeChart, real: Real, market: Market, one: Installation, expert: str, transport: str
) -> None:
    """F-20, F-23: killed offline with three in the spool, the last one torn: its deal is found again, once."""
    at = chart(expert, transport, real.endpoint(one), **PATIENT)
    traded(at, expert, "buy")
    ordered(at, 1)
    real.ways[transport].spoiling.refusing = True
    real.ways[transport].cut()
    traded(at, expert, "buy", "sell", "buy")
    eventually(lambda: at.waiting() == 3, within_s=WITHIN_S)
    at.terminal.kill()
    whole = at.spool.read_bytes()
    at.spool.write_bytes(whole[: whole.rindex(b" S ") + 40])

    real.healed()
    at.start()

    ordered(at, 4, lost=4)
    at.terminal.stop()


def test_two_terminals_with_one_key(chart: MakeChart, real: Real, market: Market, one: Installation) -> None:
    """F-20, S-24: the newer link ends the older, the owner hears of it, and both come back ever later.

    Both show the deals of the same account: each deal is one order all the same.
    """
    endpoint = real.endpoint(one)
    both = [chart("signal", "tcp", endpoint, folder=folder, **PATIENT) for folder in ("first", "second")]

    eventually(lambda: Alert.objects.filter(kind="second_session").exists(), within_s=WITHIN_S)
    eventually(lambda: max((ms for at in both for ms in waits_ms(at)), default=0) > 500, within_s=WITHIN_S)
    for at in both:
        traded(at, "signal", "buy", "sell")

    eventually(lambda: [at.waiting() for at in both] == [0, 0], within_s=WITHIN_S)
    eventually(lambda: EaOrder.objects.filter(state="open").count() == 2, within_s=WITHIN_S)
    assert Event.objects.count() == Order.objects.count() == 2
    assert books_hold()
    for at in both:
        at.terminal.stop()


def waits_ms(at: Chart) -> list[int]:
    """Return how long an expert has waited each time after it had lost its link."""
    return [int(line.split("again in ")[1].split()[0]) for line in at.terminal.lines if "again in " in line]
