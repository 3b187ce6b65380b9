"""Parameters by revision and commands, told to experts in the numbers of their orders (ea 5, 6.7)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import DatabaseError
from django.test import Client as HttpClient

from ea import instructions, news
from ea.client import Credentials
from ea.models import Counter, Instruction, Link, ParamsAck, Presence, Transition
from ea.selectors import ONLINE_MS, installations_shown
from kernel import db
from tests.ea.bridge import OPEN, Installation, execute_due, installation
from tests.ea.owners import Owner
from tests.ea.test_http import listened, post
from tests.market import db_now_ms, market_open

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def one() -> Installation:
    return installation()


@pytest.fixture
def owner(one: Installation) -> Owner:
    return Owner(one.trader)


def put(owner: Owner, one: Installation, values: dict[str, Any], strategy: str = "trend") -> Any:
    """Set parameters."""
    return owner.ask("PUT", f"installations/{one.link.pk}/params/{strategy}", {"values": values})


def tell(owner: Owner, one: Installation, cmd: str) -> int:
    """Tell a command and return its number."""
    return int(owner.ask("POST", f"installations/{one.link.pk}/commands", {"cmd": cmd}, status=202)["no"])


def acknowledged(credentials: Credentials, *, rev: int, strategy: str = "trend", **members: Any) -> Any:
    """Say over HTTP that parameters are in force."""
    ack = {
        "type": "params_ack",
        "v": 1,
        "kid": credentials.kid,
        "sid": "s1",
        "strategy": strategy,
        "rev": rev,
    } | members
    return post(credentials.signed(ack))


class TestParams:
    """ea 6.7: versioned, validated, pushed, acknowledged; what is invalid leaves the old ones in force."""

    def test_revisions_go_on_and_nothing_is_overwritten(self, owner: Owner, one: Installation) -> None:
        path = f"installations/{one.link.pk}/params/trend"
        nothing = {"rev": 0, "values": {}, "at": None, "acked_rev": None, "acked_at": None}
        assert owner.ask("GET", path) == nothing
        first = put(owner, one, {"stake": "2.50", "expiry_s": 120, "trail": True, "risk": 0.5})
        assert (first["rev"], first["values"]) == (1, {"stake": "2.50", "expiry_s": 120, "trail": True, "risk": 0.5})
        assert put(owner, one, {"expiry_s": 120, "stake": "2.50", "risk": 0.5, "trail": True})["rev"] == 1
        assert put(owner, one, {"stake": "3.00"})["rev"] == 2
        assert put(owner, one, {"stake": "9.00"}, strategy="-")["rev"] == 1
        assert owner.ask("GET", path)["values"] == {"stake": "3.00"}
        (shown,) = owner.ask("GET", "installations")["data"]
        assert shown["params_revs"] == {"": 1, "trend": 2}
        assert Instruction.objects.count() == 3

    @pytest.mark.parametrize(
        "values",
        [
            {"stake": "0"},
            {"stake": 2.5},
            {"stake": "-1"},
            {"expiry_s": 4},
            {"expiry_s": "60"},
            {"valid_ms": 100},
            {"valid_ms": True},
            {"min_payout": "high"},
            {"max_drift": ""},
            {"nested": {"a": 1}},
            {"list": [1]},
            {"none": None},
            {"1st": 1},
            {"bell": "\u0007"},
            {"big": 2**53},
            {"n" * 41: 1},
            {f"n{number}": number for number in range(65)},
            {"a": "é" * 2_050},
        ],
    )
    def test_values_that_no_expert_could_take(self, owner: Owner, one: Installation, values: dict[str, Any]) -> None:
        put(owner, one, {"stake": "1.00"})
        path = f"installations/{one.link.pk}/params/trend"
        assert owner.refused("PUT", path, {"values": values}, status=400) == "request.invalid"
        assert owner.ask("GET", path)["values"] == {"stake": "1.00"}

    @pytest.mark.parametrize("strategy", ["s" * 41, "bell%07"])
    def test_a_strategy_that_no_signal_can_name(self, owner: Owner, one: Installation, strategy: str) -> None:
        assert owner.refused("GET", f"installations/{one.link.pk}/params/{strategy}", status=404) == "not_found"

    def test_there_are_sixty_four_strategies_at_most(self, owner: Owner, one: Installation) -> None:
        for number in range(64):
            instructions.params_put(
                link_id=one.link.pk, strategy=f"s{number}", values={}, actor_id=one.trader.user.id, now_ms=1
            )
        path = f"installations/{one.link.pk}/params/one-more"
        assert owner.refused("PUT", path, {"values": {}}, status=409) == "ea.strategies_full"
        assert put(owner, one, {"stake": "2.00"}, strategy="s7")["rev"] == 2

    def test_over_http_they_come_in_their_turn_and_to_whoever_asks_anew(self, owner: Owner, one: Installation) -> None:
        put(owner, one, {"stake": "2.00"})
        put(owner, one, {"stake": "3.00"})
        put(owner, one, {"stake": "9.00"}, strategy="other")
        told = listened(one)
        # Of each strategy the newest.
        assert [(frame["strategy"], frame["rev"]) for frame in told["frames"]] == [("trend", 2), ("other", 1)]
        assert told["frames"][0]["values"] == {"stake": "3.00"}
        assert told["after"] == 3
        assert listened(one, query={"after": 3})["frames"] == []
        anew = listened(one, query={"after": 3, "params": 1})
        assert (anew["frames"], anew["after"]) == (told["frames"], 3)
        # Never twice in one answer.
        assert listened(one, query={"after": 2, "params": 1})["frames"] == told["frames"]

    def test_an_expert_says_what_is_in_force(self, owner: Owner, one: Installation) -> None:
        put(owner, one, {"stake": "2.00"})
        assert acknowledged(one.credentials, rev=1)["type"] == "noted"
        put(owner, one, {"stake": "3.00"})
        shown = owner.ask("GET", f"installations/{one.link.pk}/params/trend")
        assert (shown["rev"], shown["acked_rev"]) == (2, 1)
        first_at = shown["acked_at"]
        for rev in (1, 2, 7):
            assert acknowledged(one.credentials, rev=rev)["type"] == "noted"
        shown = owner.ask("GET", f"installations/{one.link.pk}/params/trend")
        assert (shown["acked_rev"], shown["acked_at"] >= first_at) == (2, True)
        # What never was is left out, a repetition changes nothing.
        assert ParamsAck.objects.count() == 2

    @pytest.mark.parametrize(
        ("members", "code"),
        [({"kid": "nobody"}, "unknown_key"), ({"kid": None}, "schema"), ({"rev": -1}, "schema")],
    )
    def test_who_may_not_say_so(self, one: Installation, members: dict[str, Any], code: str) -> None:
        """S-24."""
        assert acknowledged(one.credentials, **({"rev": 1} | members))["code"] == code
        ack = one.credentials.signed({"type": "params_ack", "v": 1, "kid": one.key.kid, "strategy": "", "rev": 1})
        assert post(ack.replace(b'"rev":1', b'"rev":2'))["code"] == "bad_sig"


class TestCommands:
    """ea 5: pause, resume, flush, resync; told once, and not when their moment is over."""

    def test_numbers_are_those_of_the_orders(self, owner: Owner, one: Installation) -> None:
        """The counter has no gap over transitions and what owners tell."""
        market_open()
        spool = one.spool()
        first = tell(owner, one, "pause")
        post(spool.add(**OPEN)[1])
        execute_due()
        put(owner, one, {"stake": "2.00"})
        last = tell(owner, one, "resume")
        told = listened(one)
        assert [frame["type"] for frame in told["frames"]] == ["command", "order", "params", "command"]
        assert [frame["no"] for frame in told["frames"]] == sorted({first, last} | {f["no"] for f in told["frames"]})
        numbers = [*Transition.objects.values_list("no", flat=True), *Instruction.objects.values_list("no", flat=True)]
        assert sorted(numbers) == list(range(1, Counter.objects.get().no + 1))

    def test_what_was_to_be_done_at_once_is_not_done_later(self, one: Installation) -> None:
        """A command older than a minute is not told to a client that was away; parameters are."""
        now_ms = db_now_ms()
        who: dict[str, Any] = {"link_id": one.link.pk, "actor_id": one.trader.user.id}
        instructions.command_tell(cmd="pause", now_ms=now_ms - news.COMMAND_MS - 1_000, **who)
        instructions.params_put(strategy="", values={"stake": "2.00"}, now_ms=now_ms - 3_600_000, **who)
        instructions.command_tell(cmd="resync", now_ms=now_ms - news.COMMAND_MS + 30_000, **who)
        told = listened(one)["frames"]
        assert [(frame["type"], frame.get("cmd")) for frame in told] == [("params", None), ("command", "resync")]

    def test_who_does_not_say_how_far_it_is_hears_the_last_moments(self, owner: Owner, one: Installation) -> None:
        tell(owner, one, "flush")
        credentials = one.credentials
        text = f"kid={one.key.kid}&t_ms={time.time_ns() // 1_000_000}"
        answer = HttpClient().get(f"/ea/v1/commands?{text}&sig={credentials.digest(text.encode())}")
        assert [frame["cmd"] for frame in json.loads(answer.content)["frames"]] == ["flush"]

    @pytest.mark.parametrize("body", [{"cmd": "kill"}, {}, {"cmd": "pause", "now": True}])
    def test_commands_that_there_are_not(self, owner: Owner, one: Installation, body: dict[str, Any]) -> None:
        path = f"installations/{one.link.pk}/commands"
        assert owner.refused("POST", path, body, status=400) == "request.invalid"
        assert Counter.objects.get().no == 0

    def test_nobody_hears_of_others(self, owner: Owner, one: Installation) -> None:
        tell(owner, one, "pause")
        assert listened(installation())["frames"] == []


def test_who_asks_over_http_is_shown_as_connected(owner: Owner, one: Installation) -> None:
    """ea 5: an owner sees that a terminal without a socket is there."""
    listened(one)
    (shown,) = owner.ask("GET", "installations")["data"]
    assert (shown["online"], shown["transport"]) == (True, "http")
    late_ms = Presence.objects.get().seen_at_ms + ONLINE_MS
    assert not installations_shown([one.link], now_ms=late_ms)[one.link.pk].online


@pytest.mark.parametrize("table", ["ea_instruction", "ea_params_ack", "ea_repeat"])
@pytest.mark.parametrize("act", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_what_was_told_stays_on_record(owner: Owner, one: Installation, table: str, act: str) -> None:
    """I-: these tables grow only, whoever writes."""
    put(owner, one, {"stake": "2.00"})
    acknowledged(one.credentials, rev=1)
    spool = one.spool()
    _, payload = spool.add(**OPEN)
    post(payload)
    post(payload)
    with pytest.raises(DatabaseError, match="append"), transaction.atomic():
        db.run(act.format(table))


def test_a_revision_is_numbered_once(owner: Owner, one: Installation) -> None:
    """The database refuses a second row with a number, a revision of nothing, and a command with a revision."""
    put(owner, one, {"stake": "2.00"})
    row = Instruction.objects.get()
    same = {"link": Link.objects.get(), "actor_id": row.actor_id, "at_ms": 1, "frame": "{}"}
    for fields in (
        {"no": 1, "kind": "command", "cmd": "pause"},
        {"no": 2, "kind": "params", "strategy": "trend", "rev": 1, "values": "{}"},
        {"no": 2, "kind": "params", "rev": None, "values": "{}"},
        {"no": 2, "kind": "command", "cmd": "kill"},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            Instruction.objects.create(**same, **fields)
