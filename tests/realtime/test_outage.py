"""Redis is a hint: losing it, or what it carries, loses no event."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from kernel.metrics import counted
from realtime import publishing
from tests.accounts.people import reader, token_of
from tests.realtime.drafts import append
from tests.realtime.live import Gateway, OwnRedis, ask, gateway_running, hear_events

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def publishes_to(own_redis: OwnRedis, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> OwnRedis:
    """Let this process publish to the test's own Redis."""
    settings.REDIS_URL = own_redis.url
    monkeypatch.setattr(publishing, "_client", None)
    monkeypatch.setattr(publishing, "_silent_until_s", 0.0)
    monkeypatch.setattr(publishing, "_failing", False)
    return own_redis


@pytest.fixture
def gateway_of_own_redis(committed: None, publishes_to: OwnRedis) -> Iterator[Gateway]:
    """A gateway that listens to the test's own Redis."""
    with gateway_running(redis_url=publishes_to.url) as running:
        yield running


def test_lost_hints_are_found_by_the_watch(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Principle 8: with every hint lost, events still arrive, whole and in order, within the watch's second."""
    user = reader()
    monkeypatch.setattr(publishing, "_send", lambda _messages: None)
    with gateway.token(token_of(user.pk)) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        for _ in range(3):
            append(user.pk, "demo", "real")
        assert [event["seq"] for event in hear_events(client, 6)] == [1, 2, 3, 4, 5, 6]


def test_doubled_and_reordered_hints_change_nothing(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Principle 8: hints that come twice, late or in the wrong order cause no gap, no repeat and no disorder."""
    user = reader()
    held: list[list[object]] = []
    send = publishing._send
    monkeypatch.setattr(publishing, "_send", lambda messages: held.append(list(messages)))
    with gateway.token(token_of(user.pk)) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        for _ in range(5):
            append(user.pk, "demo", "real")
            assert publishing.flush()
        for messages in [*reversed(held), *held]:
            send(messages)  # type: ignore[arg-type]
        append_after = hear_events(client, 10)
        monkeypatch.setattr(publishing, "_send", send)
        append(user.pk, "demo")
        (last,) = hear_events(client, 1)
    events = [*append_after, last]
    assert [event["seq"] for event in events] == list(range(1, 12))
    assert [event["data"]["number"] for event in events] == [0, 1] * 5 + [0]


def test_redis_restarts_while_events_flow(gateway_of_own_redis: Gateway, publishes_to: OwnRedis) -> None:
    """F-07: Redis flushed, killed and started again under load: sockets stay, every event arrives once, in order."""
    user = reader()
    ended = Event()
    written: list[int] = []

    def write() -> None:
        while not ended.wait(0.01):
            written.extend(append(user.pk, "demo", "real"))
        connections.close_all()

    with gateway_of_own_redis.token(token_of(user.pk)) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        writer = Thread(target=write)
        writer.start()
        try:
            heard = hear_events(client, 20)
            publishes_to.flush()
            heard += hear_events(client, 20)
            publishes_to.stop()
            heard += hear_events(client, 100)
            publishes_to.start()
            heard += hear_events(client, 200)
        finally:
            ended.set()
            writer.join()
        heard += hear_events(client, len(written) - len(heard))
    assert [event["seq"] for event in heard] == written == list(range(1, len(heard) + 1))
    assert counted("realtime_hints_failed") > 0


def test_socket_opened_while_redis_is_away_works(gateway_of_own_redis: Gateway, publishes_to: OwnRedis) -> None:
    """F-07: with Redis down a socket opens, subscribes and is served from the log; hints join when it is back."""
    user = reader()
    publishes_to.stop()
    with gateway_of_own_redis.token(token_of(user.pk)) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        append(user.pk, "demo")
        assert [event["seq"] for event in hear_events(client, 1)] == [1]
        publishes_to.start()
        append(user.pk, "demo")
        assert [event["seq"] for event in hear_events(client, 1)] == [2]
        assert ask(client, type="ping") == {"type": "pong"}


def test_unreadable_hints_do_no_harm(gateway_of_own_redis: Gateway, publishes_to: OwnRedis) -> None:
    """Principle 6: whatever somebody writes to the group, the gateway goes on and believes the log alone."""
    user = reader()
    group = publishing.account_group(user.pk, "demo")
    with gateway_of_own_redis.token(token_of(user.pk)) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        append(user.pk, "demo")
        hear_events(client, 1)
        for body in (b"\xc1", b"\x01", b"\x80"):
            publishing._redis().publish(publishing.group_channel(group), body)
        publishing._send([(group, {"type": "account", "user": user.pk.hex, "newest": 999, "events": []})])
        append(user.pk, "demo")
        assert [event["seq"] for event in hear_events(client, 1)] == [2]
