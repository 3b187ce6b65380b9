"""Notices between the processes of the bridge: behind the commit, about certain installations, and never in its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError

from ea import moves, notices
from ea.log import EventLog
from ea.notices import DUE_CHANNEL, TOLD_CHANNEL, links_of, notice_send
from kernel.metrics import counted
from settlement.listening import listening_connection
from tests.ea.bridge import OPEN, execute_due, gateway_running, installation
from tests.ea.events import arrived
from tests.market import market_open

pytestmark = [pytest.mark.django_db(transaction=True)]


def heard(listener: Any, count: int) -> list[tuple[str, set[int]]]:
    """Return the next notices: what they are for, and the installations that they are about."""
    found = list(listener.notifies(timeout=10, stop_after=count))
    return [(notice.channel, links_of(notice.payload)) for notice in found]


def test_the_log_and_its_answers_are_told_of_their_installations() -> None:
    market_open()
    ones = [installation() for _ in range(3)]
    links = {one.link.pk for one in ones}
    events = [arrived(one, 1, action="cancel") for one in ones]
    with listening_connection(DUE_CHANNEL, TOLD_CHANNEL) as listener:
        EventLog().append(events)
        assert heard(listener, 1) == [(DUE_CHANNEL, links)]
        execute_due()
        assert heard(listener, 1) == [(TOLD_CHANNEL, links)]
        # What is there already gives nobody any work.
        EventLog().append(events)
        EventLog().append([arrived(ones[0], 2)])
        assert heard(listener, 1) == [(DUE_CHANNEL, {ones[0].link.pk})]


def test_many_installations_are_several_notices() -> None:
    """A payload is bounded; nobody is left out for that."""
    with listening_connection(DUE_CHANNEL) as listener:
        links = set(range(2**62, 2**62 + 1_000))
        notice_send(DUE_CHANNEL, links)
        told = heard(listener, 4)
    assert set().union(*(some for _, some in told)) == links


def test_a_notice_that_cannot_be_sent_fails_nobody() -> None:
    """What it tells of is committed: whoever listens finds it within half a second."""
    before = counted("ea_notices_failed")
    one = installation()
    with mock.patch.object(notices._NOTIFY, "committed", side_effect=OperationalError("away")):
        (logged,) = EventLog().append([arrived(one, 1)])
    assert not logged.duplicate
    assert counted("ea_notices_failed") == before + 1


def test_news_that_nobody_told_of_are_told(tmp_path: Path) -> None:
    """F-20: whoever writes an answer may die before he tells of it; a gateway asks by itself now and then."""
    market_open()
    one = installation()
    with gateway_running(tmp_path) as gateway:
        client = gateway.client(one.spool())
        assert client.hello()["type"] == "welcome"
        event_id = client.signal(**OPEN | {"action": "cancel"})
        client.next("ack")
        with mock.patch.object(moves, "notice_send"):
            execute_due()
        assert client.next("order")["event_id"] == event_id
        client.link.close()
