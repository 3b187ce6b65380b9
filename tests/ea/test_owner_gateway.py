"""What an owner does, as a connected expert meets it: parameters, commands, presence, revocation (ea 5, 6.7; S-23)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from ea.client import Client, Spool
from ea.models import Alert, ParamsAck, Presence, Repeat
from tests.ea.bridge import OPEN, Installation, Running, gateway_running, installation, with_key
from tests.ea.owners import Owner
from tests.support import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("ea-gateway")]


@pytest.fixture(scope="module")
def gateway(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with django_db_blocker.unblock(), gateway_running(tmp_path_factory.mktemp("gateway")) as running:
        connections.close_all()
        yield running


@pytest.fixture
def one() -> Installation:
    return installation()


@pytest.fixture
def owner(one: Installation) -> Owner:
    return Owner(one.trader)


@contextmanager
def closing_client(gateway: Running, spool: Spool, transport: str = "tcp") -> Iterator[Client]:
    """Open a connection that is closed at the end of a block."""
    client = gateway.client(spool, transport=transport)
    with closing(client.link):
        yield client


def put(owner: Owner, one: Installation, values: dict[str, Any], strategy: str = "trend") -> None:
    """Set parameters."""
    owner.ask("PUT", f"installations/{one.link.pk}/params/{strategy}", {"values": values})


def tell(owner: Owner, one: Installation, cmd: str) -> int:
    """Tell a command and return its number."""
    return int(owner.ask("POST", f"installations/{one.link.pk}/commands", {"cmd": cmd}, status=202)["no"])


@pytest.mark.parametrize("transport", ["tcp", "websocket"])
def test_parameters_are_pushed_and_acknowledged(
    gateway: Running, owner: Owner, one: Installation, transport: str
) -> None:
    """ea 6.7: those in force with the welcome, the next ones at once; the acknowledgement is kept."""
    put(owner, one, {"stake": "2.00"})
    put(owner, one, {"stake": "9.00"}, strategy="-")
    with closing_client(gateway, one.spool(), transport) as client:
        assert client.hello(after=2)["params_rev"] == 1
        told = [client.next("params") for _ in range(2)]
        assert [(frame["strategy"], frame["rev"], frame["no"]) for frame in told] == [("trend", 1, 1), ("", 1, 2)]
        put(owner, one, {"stake": "3.00", "expiry_s": 90})
        frame = client.next("params", within_s=2)
        assert (frame["rev"], frame["no"], frame["values"]) == (2, 3, {"stake": "3.00", "expiry_s": 90})
        ack = {"type": "params_ack", "v": 1, "kid": one.key.kid, "sid": "s", "strategy": "trend", "rev": 2}
        client.link.send(one.credentials.signed(ack))
        eventually(lambda: ParamsAck.objects.filter(instruction__rev=2, kid=one.key.kid).exists(), within_s=5)
        with pytest.raises(TimeoutError):
            client.next("params", within_s=0.3)


def test_a_client_that_does_not_say_how_far_it_is_hears_each_once(
    gateway: Running, owner: Owner, one: Installation
) -> None:
    put(owner, one, {"stake": "2.00"})
    with closing_client(gateway, one.spool()) as client:
        client.hello()
        assert client.next("params")["rev"] == 1
        with pytest.raises(TimeoutError):
            client.next("params", within_s=1)


def test_commands_reach_who_is_there_and_who_was_away(gateway: Running, owner: Owner, one: Installation) -> None:
    """ea 5: by the cursor that orders have, each once."""
    with closing_client(gateway, one.spool()) as client:
        client.hello(after=0)
        no = tell(owner, one, "pause")
        frame = client.next("command", within_s=2)
        assert (frame["cmd"], frame["no"]) == ("pause", no)
    missed = tell(owner, one, "resync")
    with closing_client(gateway, one.spool()) as client:
        client.hello(after=no)
        assert client.next("command")["no"] == missed
        with pytest.raises(TimeoutError):
            client.next("command", within_s=0.7)


def test_a_revoked_key_is_out_within_a_second_and_its_use_is_told(
    gateway: Running, owner: Owner, one: Installation
) -> None:
    """S-23: by the API; S-24: who uses it afterwards is on record, its owner's own act is not."""
    with closing_client(gateway, one.spool()) as client:
        client.hello()
        begun_s = time.monotonic()
        owner.ask("POST", f"keys/{one.key.kid}/revoke")
        assert client.next("reject", within_s=2)["code"] == "key_revoked"
        assert time.monotonic() - begun_s < 1
        assert client.ended()
    assert not Alert.objects.filter(kind="key_revoked").exists()
    with closing_client(gateway, one.spool()) as client:
        assert client.hello()["code"] == "key_revoked"
    alert = eventually(lambda: Alert.objects.filter(kind="key_revoked").first(), within_s=5)
    assert alert is not None
    assert (alert.kid, alert.address) == (one.key.kid, "127.0.0.1")


def test_an_owner_sees_who_is_connected(gateway: Running, owner: Owner, one: Installation) -> None:
    def shown() -> dict[str, Any]:
        (found,) = owner.ask("GET", "installations")["data"]
        assert isinstance(found, dict)
        return found

    other = with_key(one.trader, one.link)
    with closing_client(gateway, one.spool(), "websocket") as client:
        client.hello()
        eventually(lambda: shown()["online"], within_s=5, every_s=0.1)
        assert (shown()["transport"], shown()["last_seen_at"] is None) == ("websocket", False)
    eventually(lambda: not shown()["online"], within_s=5, every_s=0.1)
    with closing_client(gateway, other.spool()) as client:
        client.hello()
        eventually(lambda: shown()["online"], within_s=5, every_s=0.1)
        assert shown()["transport"] == "tcp"
    assert Presence.objects.filter(kid__in=[one.key.kid, other.key.kid]).count() == 2


def test_what_comes_again_is_noted(gateway: Running, one: Installation) -> None:
    """ea 6.6: behind the acknowledgement, also when nothing else is logged."""
    spool = one.spool()
    _, payload = spool.add(**OPEN)
    with closing_client(gateway, spool) as client:
        client.hello()
        assert client.next("ack")["status"] == "accepted"
        for _ in range(2):
            client.link.send(payload)
            assert client.next("ack")["status"] == "duplicate"

    def times() -> bool:
        return sum(Repeat.objects.values_list("times", flat=True)) == 2

    eventually(times, within_s=5)
