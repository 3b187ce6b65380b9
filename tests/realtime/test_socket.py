"""The socket ``/ws/v1/`` of a real gateway: log-in, replay, live events, limits, and losing one's right."""

from __future__ import annotations

import json
from contextlib import suppress
from socket import create_connection
from time import monotonic
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from accounts import services as accounts
from accounts.models import ApiToken
from kernel.clock import wall_ms
from kernel.ids import uuid7
from realtime.services import symbol_event_publish
from tests.accounts.people import person, reader, session_of, token_of
from tests.realtime.drafts import append, append_large
from tests.realtime.live import Gateway, ask, hear, hear_events, say

pytestmark = pytest.mark.usefixtures("committed")


def test_session_gets_replay_then_live_events(gateway: Gateway) -> None:
    """Contract, WebSocket: what is newer than ``after_seq`` is replayed, then events come live."""
    user = reader()
    append(user.pk, "demo", "real", "", f"t:{uuid7()}")

    with gateway.session(session_of(user)) as client:
        assert ask(client, id=1, type="subscribe", channel="account", after_seq=1) == {
            "id": 1,
            "type": "ok",
            "channel": "account",
            "last_seq": 4,
        }
        replayed = hear_events(client, 3)
        append(user.pk, "demo")
        (live,) = hear_events(client, 1)

    assert [(e["seq"], e["prev_seq"], e["ledger"]) for e in replayed] == [
        (2, 1, "real"),
        (3, 2, None),
        (4, 3, "tournament"),
    ]
    assert live == {
        "channel": "account",
        "seq": 5,
        "prev_seq": 4,
        "v": 1,
        "type": "test.happened",
        "at": live["at"],
        "ledger": "demo",
        "data": {"number": 0},
    }


def test_token_logs_in_by_first_frame_and_resumes_after_a_drop(gateway: Gateway) -> None:
    """Contract, WebSocket: a dropped client that resumes from its cursor misses nothing and hears nothing twice."""
    user = reader()
    token = token_of(user.pk)
    heard: list[int] = []
    for _ in range(3):
        with gateway.token(token) as client:
            ask(client, id=1, type="subscribe", channel="account", after_seq=heard[-1] if heard else 0)
            append(user.pk, "demo", "real")
            heard += [event["seq"] for event in hear_events(client, 2)]
        append(user.pk, "demo")
        with gateway.token(token) as client:
            ask(client, id=2, type="subscribe", channel="account", after_seq=heard[-1])
            heard += [event["seq"] for event in hear_events(client, 1)]

    assert heard == list(range(1, 10))


def test_without_after_seq_only_new_events_come(gateway: Gateway) -> None:
    """Contract, WebSocket: without ``after_seq`` the subscription is live only."""
    user = reader()
    append(user.pk, "demo", "demo")
    with gateway.token(token_of(user.pk)) as client:
        assert ask(client, type="subscribe", channel="account")["last_seq"] == 2
        append(user.pk, "demo")
        (event,) = hear_events(client, 1)
    assert (event["seq"], event["prev_seq"]) == (3, 2)


def test_token_bound_to_a_ledger_gets_its_own_chain(gateway: Gateway) -> None:
    """Contract, WebSocket: ``prev_seq`` is the previous event visible to this subscription, replayed and live."""
    user = reader()
    append(user.pk, "real", "demo", "", "real", "demo")
    with gateway.token(token_of(user.pk, ledgers=["demo"])) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        replayed = hear_events(client, 2)
        append(user.pk, "real", "demo", "real")
        append(user.pk, "demo")
        live = hear_events(client, 2)
    assert [(e["seq"], e["prev_seq"]) for e in replayed + live] == [(2, 0), (5, 2), (7, 5), (9, 7)]
    assert {e["ledger"] for e in replayed + live} == {"demo"}


def test_bound_token_beside_an_unbound_one_sees_no_more(gateway: Gateway) -> None:
    """S-07: what a process knows for one socket of a user is not shown to another that may not see it."""
    user = reader()
    with gateway.session(session_of(user)) as whole, gateway.token(token_of(user.pk, ledgers=["demo"])) as bound:
        for client in (whole, bound):
            ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        for _ in range(5):
            append(user.pk, "real", "demo", "")
        assert [event["seq"] for event in hear_events(whole, 15)] == list(range(1, 16))
        seen = hear_events(bound, 5)
    assert [(event["seq"], event["ledger"]) for event in seen] == [(seq, "demo") for seq in (2, 5, 8, 11, 14)]


def test_events_come_by_hints_at_once(gateway: Gateway) -> None:
    """Principle 8: a hint brings an event within milliseconds; the watch alone would take a second for each."""
    user = reader()
    with gateway.token(token_of(user.pk)) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        append(user.pk, "demo")
        hear_events(client, 1)
        started_s = monotonic()
        for _ in range(20):
            append(user.pk, "demo")
            hear_events(client, 1)
    assert monotonic() - started_s < 5


def test_bound_token_that_joins_live_knows_its_previous_event(gateway: Gateway) -> None:
    """Contract, WebSocket: a live-only subscription, too, names the last event that it could have seen."""
    user = reader()
    append(user.pk, "demo", "real", "real")
    with gateway.token(token_of(user.pk, ledgers=["demo"])) as client:
        ask(client, id=1, type="subscribe", channel="account")
        append(user.pk, "demo")
        (event,) = hear_events(client, 1)
    assert (event["seq"], event["prev_seq"]) == (4, 1)


def test_a_burst_arrives_whole_and_in_order(gateway: Gateway) -> None:
    """F-19: hundreds of events at once reach every socket, none lost, none twice, in order."""
    user = reader()
    with gateway.token(token_of(user.pk)) as first, gateway.session(session_of(user)) as second:
        for client in (first, second):
            ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        append(user.pk, *["demo", "real"] * 700)
        for _ in range(20):
            append(user.pk, "demo")
        for client in (first, second):
            assert [event["seq"] for event in hear_events(client, 1420)] == list(range(1, 1421))


def test_slow_reader_is_not_queued_for_and_misses_nothing(gateway: Gateway) -> None:
    """F-19: for a client that does not read nothing piles up; when it reads again, nothing is missing."""
    user = reader()
    process = psutil.Process(gateway.pid)
    with gateway.token(token_of(user.pk)) as slow, gateway.token(token_of(user.pk)) as quick:
        for client in (slow, quick):
            ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        before = process.memory_info().rss
        for turn in range(40):
            append_large(user.pk, events=50, size=16_000)
            assert [event["seq"] for event in hear_events(quick, 50)][-1] == (turn + 1) * 50
        grown = process.memory_info().rss - before
        assert [event["seq"] for event in hear_events(slow, 2000)] == list(range(1, 2001))
    # 32 MB of events went by; what may stay is the last few of them and what the kernel's buffers hold.
    assert grown < 16 * 2**20


def test_other_users_events_never_arrive(gateway: Gateway) -> None:
    """S-07: there is no way to name another user's group; a foreign channel or tournament is refused."""
    mine, other = reader(), reader()
    with gateway.token(token_of(mine.pk)) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        refused = [
            ask(client, id=2, type="subscribe", channel=f"acct.{other.pk.hex}.demo"),
            ask(client, id=3, type="subscribe", channel="admin"),
            ask(client, id=4, type="subscribe", channel="tournament", tournament_id=str(uuid7())),
            ask(client, id=5, type="subscribe", channel="account", user_id=str(other.pk)),
        ]
        append(other.pk, "demo", "real", "")
        append(mine.pk, "demo")
        (event,) = hear_events(client, 1)
    assert [answer["error"]["code"] for answer in refused] == [
        "channel.unknown",
        "channel.unknown",
        "tournament.unknown",
        "request.invalid",
    ]
    assert [answer["id"] for answer in refused] == [2, 3, 4, 5]
    assert (event["seq"], event["prev_seq"]) == (1, 0)


def test_symbol_events_reach_subscribers_of_the_public_channel(gateway: Gateway) -> None:
    """Contract, WebSocket: ``symbols`` tells states and payouts; the newest of a subject is what counts."""
    code = f"T{uuid7().hex[-8:].upper()}"
    with gateway.token(token_of(reader().pk)) as client:
        assert ask(client, id="s", type="subscribe", channel="symbols")["type"] == "ok"
        symbol_event_publish(type="payout.changed", payload={"code": code, "payout_percent": 81}, at_ms=wall_ms())
        heard = hear(client)
        while heard["data"].get("code") != code:
            heard = hear(client)
        assert ask(client, id=2, type="unsubscribe", channel="symbols")["type"] == "ok"
    assert (heard["channel"], heard["type"], heard["v"]) == ("symbols", "payout.changed", 1)
    assert heard["data"] == {"code": code, "payout_percent": 81}


def test_unsubscribed_socket_is_silent(gateway: Gateway) -> None:
    """Contract, WebSocket: after ``unsubscribe`` nothing comes but answers."""
    user = reader()
    with gateway.token(token_of(user.pk)) as client:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)
        ask(client, id=2, type="unsubscribe", channel="account")
        append(user.pk, "demo")
        assert ask(client, type="ping") == {"type": "pong"}
        assert ask(client, id=7, type="ping") == {"id": 7, "type": "pong"}


@pytest.mark.parametrize(
    ("origin", "with_cookie"),
    [
        (None, True),
        ("null", True),
        ("http://evil.example", True),
        ("http://127.0.0.1.evil.example:{port}", True),
        ("http://127.0.0.1:{other}", True),
        ("https://127.0.0.1:{port}", True),
        ("http://127.0.0.1:{port}@evil.example", True),
        ("http://evil.example", False),
        ("null", False),
    ],
)
def test_foreign_origins_are_refused(gateway: Gateway, origin: str | None, with_cookie: bool) -> None:
    """S-06: absent, null, foreign host, suffix trick, other port and other scheme are answered 403."""
    asked = None if origin is None else origin.format(port=gateway.port, other=gateway.port + 1)
    cookie = session_of(person()) if with_cookie else None
    with pytest.raises(InvalidStatus) as refused:
        gateway.open(cookie=cookie, origin=asked)
    assert refused.value.response.status_code == 403


def test_host_outside_allowed_hosts_is_refused(gateway: Gateway) -> None:
    """S-06: a name rebound to our address does not make its page ours."""
    headers = {"Cookie": f"sessionid={session_of(person())}", "Origin": f"http://rebound.example:{gateway.port}"}
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"ws://rebound.example:{gateway.port}/ws/v1/",
            additional_headers=headers,
            sock=create_connection(("127.0.0.1", gateway.port)),
        ),
    ):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "auth", "token": "fs_00000000_unknown"},
        {"type": "auth"},
        {"type": "subscribe", "channel": "account"},
        {"type": "ping"},
        {"type": "auth", "token": 7},
        "no json",
    ],
)
def test_a_first_frame_that_is_no_log_in_closes(gateway: Gateway, frame: Any) -> None:
    """Contract, WebSocket: a failure of the first frame closes with 4401."""
    client = gateway.open()
    client.send(frame if isinstance(frame, str) else json.dumps(frame))
    assert _closed(client) == 4401


def test_silence_instead_of_a_log_in_closes(gateway: Gateway) -> None:
    """Contract, WebSocket: without a log-in within 5 s the socket closes with 4401."""
    assert _closed(gateway.open()) == 4401


def test_token_in_the_query_is_no_log_in(gateway: Gateway) -> None:
    """S-09: addresses end up in logs, so a token there means nothing."""
    client = gateway.open(path=f"/ws/v1/?token={token_of(reader().pk)}")
    say(client, {"type": "subscribe", "channel": "account"})
    assert _closed(client) == 4401


def test_token_without_read_or_from_elsewhere_is_refused(gateway: Gateway) -> None:
    """S-23: scope and address list hold on sockets, too."""
    user = reader()
    assert _closed(gateway.token(token_of(user.pk, "trade"))) == 4401
    assert _closed(gateway.token(token_of(user.pk, "read", ips=("10.0.0.0/8",)))) == 4401


def test_unknown_session_is_closed(gateway: Gateway) -> None:
    """Contract, WebSocket: a cookie that stands for no session closes with 4401."""
    assert _closed(gateway.session("a" * 32)) == 4401


def test_ban_is_told_then_closes_sockets_within_5_s(gateway: Gateway) -> None:
    """Rules 12, S-05: a ban closes every socket of the user with 4403 within 5 s, after ``account.banned``."""
    user = reader()
    key = session_of(user)
    clients = [gateway.session(key), gateway.token(token_of(user.pk))]
    for client in clients:
        ask(client, id=1, type="subscribe", channel="account", after_seq=0)

    accounts.user_ban(email=user.email, reason="test", now_ms=wall_ms())
    for client in clients:
        event = hear(client)
        assert (event["type"], event["ledger"], event["data"]["reason"]) == ("account.banned", None, "test")
        assert _closed(client, within_s=5) == 4403

    assert _closed(gateway.session(key)) == 4403
    assert _closed(gateway.token(token_of(user.pk))) == 4403


def test_revoked_token_closes_its_socket_only(gateway: Gateway) -> None:
    """S-05: a revoked token closes its sockets with 4401 within 5 s; the user's others go on."""
    user = reader()
    revoked, kept = token_of(user.pk), token_of(user.pk)
    with gateway.token(kept) as other:
        client = gateway.token(revoked)
        ask(client, id=1, type="subscribe", channel="account")
        token = ApiToken.objects.get(user=user, prefix=revoked.split("_")[1])
        accounts.token_revoke(user_id=user.pk, token_id=token.pk, now_ms=wall_ms())
        assert _closed(client, within_s=5) == 4401
        assert ask(other, type="ping") == {"type": "pong"}


def test_log_out_closes_the_sockets_of_the_session(gateway: Gateway) -> None:
    """S-18: ending a session closes its sockets within 5 s."""
    from accounts.sessions import SessionStore

    user = reader()
    key = session_of(user)
    client = gateway.session(key)
    ask(client, id=1, type="subscribe", channel="account")
    SessionStore(key).delete()
    assert _closed(client, within_s=5) == 4401


def test_change_of_password_closes_the_sockets_of_sessions(gateway: Gateway) -> None:
    """S-05: after a change of password sockets of sessions close with 4401 within 5 s; tokens are no passwords."""
    user = reader()
    with gateway.token(token_of(user.pk)) as program:
        client = gateway.session(session_of(user))
        ask(client, id=1, type="subscribe", channel="account")
        user.set_password("another-good-password")
        user.save()
        assert _closed(client, within_s=5) == 4401
        assert ask(program, type="ping") == {"type": "pong"}


def test_flood_is_closed(gateway: Gateway) -> None:
    """S-08: thousands of messages at once close the socket with 1008."""
    client = gateway.token(token_of(reader().pk))
    with suppress(ConnectionClosed):
        for number in range(10_000):
            say(client, {"id": number, "type": "subscribe", "channel": "symbols"})
    assert _closed(client) == 1008


def test_oversize_message_is_closed(gateway: Gateway) -> None:
    """S-08: a message above 64 KiB closes the socket with 1009, as does one of 10 MB."""
    for size in (64 * 1024, 10 * 1024 * 1024):
        client = gateway.token(token_of(reader().pk))
        ask(client, type="ping")
        say(client, {"type": "ping", "token": "x" * size})
        assert _closed(client) == 1009


def test_a_user_has_at_most_20_sockets(gateway: Gateway) -> None:
    """Contract, limits: the 21st socket of a user closes with 4429; another user's opens."""
    user = reader()
    token = token_of(user.pk)
    clients = [gateway.token(token) for _ in range(20)]
    for client in clients:
        ask(client, type="ping")
    assert _closed(gateway.token(token)) == 4429
    with gateway.token(token_of(reader().pk)) as other:
        assert ask(other, type="ping") == {"type": "pong"}
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    "message",
    [
        "[]",
        "{}",
        '{"type":"subscribe","channel":"account","after_seq":-1}',
        '{"type":"subscribe","channel":"account","after_seq":"1"}',
        '{"type":"subscribe"}',
        '{"type":"dance"}',
        '{"type":"ping","extra":1}',
        "[" * 5000,
    ],
)
def test_bad_messages_get_a_problem_and_change_nothing(gateway: Gateway, message: str) -> None:
    """S-36: a message of a wrong shape is answered with a problem document; the socket lives."""
    with gateway.token(token_of(reader().pk)) as client:
        client.send(message)
        answer = hear(client)
        assert (answer["type"], answer["error"]["code"], answer["error"]["status"]) == ("error", "request.invalid", 400)
        assert ask(client, type="ping") == {"type": "pong"}


def test_expired_cursor_is_refused(gateway: Gateway) -> None:
    """Contract, events: a cursor past retention is 410 ``events.cursor_expired``; the newest kept one is good."""
    from realtime.services import events_expire

    user = reader()
    append(user.pk, "demo", "demo")
    events_expire(before_ms=wall_ms() + 1)
    append(user.pk, "demo")
    with gateway.token(token_of(user.pk)) as client:
        answer = ask(client, id=1, type="subscribe", channel="account", after_seq=1)
        assert (answer["error"]["code"], answer["error"]["status"]) == ("events.cursor_expired", 410)
        ask(client, id=2, type="subscribe", channel="account", after_seq=2)
        assert [event["seq"] for event in hear_events(client, 1)] == [3]


def _closed(client: ClientConnection, *, within_s: float = 10.0) -> int:
    """Return the code the server closes with, whatever it says before."""
    try:
        while True:
            client.recv(timeout=within_s)
    except ConnectionClosed as closed:
        return 1006 if closed.rcvd is None else closed.rcvd.code
