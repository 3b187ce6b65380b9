"""Changes of market states reach the gateways (contract, /ws/quotes/; F-14)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings

from kernel import db
from quotes.market_watch import MarketWatch
from quotes.publishing import FEED_CHANNEL
from quotes.services import symbol_halt
from tests.quotes.market import Market
from tests.support import eventually

pytestmark = pytest.mark.django_db(transaction=True)


class Channel:
    """A subscriber of the feed channel."""

    def __init__(self, subscription: redis.client.PubSub) -> None:
        self._subscription = subscription

    def hear(self, code: str) -> list[str]:
        """Return the states of a symbol that were told since the last time."""
        states = []
        while message := self._subscription.get_message(ignore_subscribe_messages=True, timeout=0.1):
            states += [one["state"] for one in json.loads(message["data"])["feed"] if one["symbol"] == code]
        return states


@pytest.fixture
def channel() -> Iterator[Channel]:
    """Subscribe before anything is told."""
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as subscription:
        subscription.subscribe(FEED_CHANNEL)
        eventually(lambda: subscription.get_message(timeout=0.1), within_s=5)
        yield Channel(subscription)


def test_a_change_is_told_once(channel: Channel) -> None:
    """Rules 1, market state: open, stale and halted as they change, and nothing in between."""
    market, watch = Market(), MarketWatch()
    told = []
    try:
        market.admit("1.1")
        for change in (
            lambda: None,
            lambda: None,
            lambda: db.run("UPDATE quotes_symbol_head SET heartbeat_ms = heartbeat_ms - 6000"),
            lambda: symbol_halt(code=market.code, reason="news"),
        ):
            change()
            watch.look()
            told.append(channel.hear(market.code))
    finally:
        watch.close()

    assert told == [["open"], [], ["stale"], ["halted"]]
    assert watch.feeds == {"script"}
