"""The gateway over real sockets: who is let in, in what order signals are taken, and what broken clients come to."""

from __future__ import annotations

import http.client
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from ea.client import Client, Credentials, Spool, TcpLink
from ea.models import Alert, EaOrder, Event
from ea.services import key_revoke
from kernel import db
from tests.ea.bridge import (
    OPEN,
    Installation,
    Running,
    WebSocketLink,
    execute_due,
    gateway_running,
    installation,
    with_key,
)
from tests.quotes.running import ROOT, environment
from tests.support import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("ea-gateway")]

Join = Callable[..., Client]


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
def join(gateway: Running, one: Installation) -> Iterator[Join]:
    """Open connections, said hello unless told otherwise; all are closed afterwards."""
    opened: list[Client] = []

    def joined(spool: Spool | None = None, *, transport: str = "tcp", hello: bool = True, **changes: Any) -> Client:
        client = gateway.client(spool or one.spool(), transport=transport)
        opened.append(client)
        if hello:
            assert client.hello(**changes)["type"] == "welcome"
        return client

    yield joined
    for client in opened:
        client.link.close()


def alerts(*kinds: str) -> list[str]:
    """Return the kinds of alerts, without addresses."""
    return list(Alert.objects.filter(kind__in=kinds).order_by("id").values_list("kind", flat=True))


class TestHello:
    """S-24, ea 5: the server speaks first; a hello signs its nonce; nothing goes before it."""

    def test_a_welcome_says_where_things_stand(self, join: Join) -> None:
        client = join(hello=False)
        welcome = client.hello()
        assert (welcome["hb_s"], welcome["last_seq_seen"], welcome["params_rev"]) == (5, 0, 0)
        assert abs(welcome["server_ms"] - time.time() * 1_000) < 5_000
        client.signal(**OPEN)
        client.next("ack")
        again = join(client.spool, hello=False)
        assert again.hello()["last_seq_seen"] == 1

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"kid": "nobody"}, "unknown_key"),
            ({"nonce": "0" * 32}, "bad_sig"),
            ({"acct": "1"}, "acct_mismatch"),
            ({"server": "Elsewhere"}, "acct_mismatch"),
            ({"v": 2}, "unsupported_version"),
            ({"more": 1}, "schema"),
        ],
    )
    def test_who_is_not_let_in(self, join: Join, changes: dict[str, Any], code: str) -> None:
        """S-24: refused and closed; what concerns a known key is on record."""
        client = join(hello=False)
        refusal = client.hello(**changes)
        assert (refusal["type"], refusal["code"], refusal["final"]) == ("reject", code, True)
        assert client.ended()
        if code in ("bad_sig", "acct_mismatch"):
            assert eventually(lambda: alerts(code) == [code], within_s=5)

    def test_an_old_hello_does_not_open_another_connection(
        self, gateway: Running, one: Installation, join: Join
    ) -> None:
        """S-24: replay. The nonce is another one each time."""
        said: list[bytes] = []

        class Recorded(TcpLink):
            def send(self, payload: bytes) -> None:
                said.append(payload)
                super().send(payload)

        first = Client(one.spool(), Recorded("127.0.0.1", gateway.port))
        with closing(first.link):
            assert first.hello()["type"] == "welcome"
        thief = join(hello=False)
        thief.next("challenge")
        thief.link.send(said[0])
        assert thief.next("reject")["code"] == "bad_sig"
        assert thief.ended()

    def test_another_secret(self, gateway: Running, one: Installation) -> None:
        wrong = Credentials(one.key.kid, "0" * 64, account=one.link.account, server=one.link.server)
        client = gateway.client(Spool(wrong))
        with closing(client.link):
            assert client.hello()["code"] == "bad_sig"
            assert client.ended()

    def test_a_revoked_and_an_ended_key(self, join: Join, one: Installation) -> None:
        key_revoke(kid=one.key.kid, now_ms=1)
        client = join(hello=False)
        assert client.hello()["code"] == "key_revoked"

    def test_an_address_that_is_not_on_the_list(self, gateway: Running, one: Installation) -> None:
        """S-23: lists of addresses; nobody believes what a client says of itself over TCP."""
        far = with_key(one.trader, one.link, networks=["203.0.113.0/24"])
        client = gateway.client(far.spool())
        with closing(client.link):
            assert client.hello()["code"] == "ip_denied"
            assert client.ended()

    def test_nothing_goes_before_the_hello(self, join: Join) -> None:
        client = join(hello=False)
        client.link.send(client.spool.add(**OPEN)[1])
        assert client.next("reject")["code"] == "schema"
        assert client.ended()
        assert Event.objects.count() == 0

    def test_frames_behind_the_hello_wait_for_it(self, join: Join) -> None:
        client = join(hello=False)
        client.spool.add(**OPEN)
        client.spool.add(**OPEN)
        client.hello()
        assert [client.next("ack")["seq"] for _ in range(2)] == [1, 2]

    def test_a_second_hello_is_refused_and_changes_nothing(self, join: Join, one: Installation) -> None:
        client = join()
        client.link.send(one.credentials.signed({"type": "hello", "v": 1}))
        assert client.next("reject")["code"] == "schema"
        client.signal(**OPEN)
        assert client.next("ack")["status"] == "accepted"


class TestKeysInUse:
    """ea 5: revocation within a second; one connection for a key; both keys of a rotation."""

    @pytest.mark.parametrize("transport", ["tcp", "ws"])
    def test_a_revoked_key_is_out_within_a_second(self, join: Join, one: Installation, transport: str) -> None:
        client = join(transport=transport)
        begun_s = time.monotonic()
        key_revoke(kid=one.key.kid, now_ms=1)
        assert client.next("reject")["code"] == "key_revoked"
        assert client.ended()
        assert time.monotonic() - begun_s < 1.0

    def test_a_key_that_runs_out_is_out_within_a_second(self, gateway: Running, one: Installation) -> None:
        now_ms = time.time_ns() // 1_000_000
        short = with_key(one.trader, one.link, valid_until_ms=now_ms + 1_500)
        client = gateway.client(short.spool())
        with closing(client.link):
            assert client.hello()["type"] == "welcome"
            assert client.next("reject", within_s=5)["code"] == "key_revoked"
            assert now_ms + 1_400 < time.time_ns() // 1_000_000 < now_ms + 3_000

    def test_the_second_connection_of_a_key_ends_the_first(self, join: Join) -> None:
        """F-20, S-24: two terminals with one key; the owner hears of it, and nothing is doubled."""
        first = join()
        first.signal(**OPEN)
        first.next("ack")
        second = join(first.spool)
        assert first.ended()
        second.signal(**OPEN)
        assert second.next("ack")["seq"] == 2
        assert eventually(lambda: alerts("second_session") == ["second_session"], within_s=5)

    def test_what_was_signed_with_the_older_key_is_still_taken(self, join: Join, one: Installation) -> None:
        """ea 5: rotation. A spool keeps its bytes; numbers go on."""
        spool = one.spool()
        spool.add(**OPEN)
        spool.add(**OPEN)
        other = with_key(one.trader, one.link)
        spool.credentials = other.credentials
        spool.add(**OPEN)
        client = join(spool)
        assert [client.next("ack")["seq"] for _ in range(3)] == [1, 2, 3]
        assert list(Event.objects.order_by("id").values_list("kid", flat=True)) == [one.key.kid] * 2 + [other.key.kid]

    def test_what_comes_right_behind_the_hello_may_name_the_older_key(self, join: Join, one: Installation) -> None:
        spool = one.spool()
        _, payload = spool.add(**OPEN)
        spool.credentials = with_key(one.trader, one.link).credentials
        client = join(spool, hello=False)
        challenge = client.next("challenge")
        hello = {"type": "hello", "v": 1, "kid": spool.credentials.kid, "sid": spool.sid, "nonce": challenge["nonce"]}
        client.link.send(spool.credentials.signed(hello | {"acct": one.link.account, "server": one.link.server}))
        client.link.send(payload)
        assert client.next("ack")["seq"] == 1

    def test_a_key_of_somebody_else_is_none(self, join: Join) -> None:
        client = join()
        stranger = installation()
        client.signal(**OPEN, kid=stranger.key.kid)
        assert client.next("reject")["code"] == "unknown_key"
        assert Event.objects.count() == 0

    def test_another_account_in_a_signal(self, join: Join) -> None:
        """S-24: another account's id: refused, closed, on record."""
        client = join()
        client.signal(**OPEN, acct="999")
        assert client.next("reject")["code"] == "acct_mismatch"
        assert client.ended()
        assert eventually(lambda: alerts("acct_mismatch") == ["acct_mismatch"], within_s=5)
        assert Event.objects.count() == 0


class TestSignals:
    """ea 5, 6.1: acknowledged once durable, duplicates told again, numbers in order."""

    @pytest.mark.parametrize("transport", ["tcp", "ws"])
    def test_a_burst_is_acknowledged_in_its_order_and_is_there(self, join: Join, transport: str) -> None:
        """I-34: every acknowledged event has its row; ea 2.4: no burst is lost."""
        client = join(transport=transport)
        ids = [client.signal(**OPEN) for _ in range(150)]
        acks = [client.next("ack") for _ in ids]
        assert [ack["event_id"] for ack in acks] == ids
        assert client.spool.waiting == {}
        assert [str(event_id) for event_id in Event.objects.order_by("id").values_list("event_id", flat=True)] == ids
        assert EaOrder.objects.count() == 150

    def test_the_acknowledgement_of_a_lost_connection_is_told_again(self, join: Join) -> None:
        """F-20: resend after a lost acknowledgement: byte for byte, and the stored answer comes back."""
        client = join()
        event_id, payload = client.spool.add(**OPEN)
        client.link.send(payload)
        first = client.next("ack")
        client.spool.waiting[event_id] = payload
        again = join(client.spool)
        second = again.next("ack")
        assert (first["status"], second["status"]) == ("accepted", "duplicate")
        assert {**first, "status": "duplicate"} == second
        assert Event.objects.count() == 1

    def test_a_changed_event_is_refused_and_its_owner_hears_of_it(self, join: Join) -> None:
        client = join()
        event_id = client.signal(**OPEN)
        client.next("ack")
        client.signal(**OPEN, event_id=event_id)
        refusal = client.next("reject")
        assert (refusal["code"], refusal["final"], refusal["event_id"]) == ("id_conflict", True, event_id)
        assert eventually(lambda: alerts("id_conflict") == ["id_conflict"], within_s=5)
        client.signal(**OPEN)
        assert client.next("ack")["seq"] == 3

    def test_a_changed_byte_is_refused_and_closed(self, join: Join) -> None:
        client = join()
        _, payload = client.spool.add(**OPEN)
        client.link.send(payload.replace(b"10.00", b"90.00"))
        assert client.next("reject")["code"] == "bad_sig"
        assert client.ended()
        assert Event.objects.count() == 0

    def test_a_gap_is_asked_for_and_filled(self, join: Join) -> None:
        client = join()
        first, _, third = (client.spool.add(**OPEN)[1] for _ in range(3))
        client.link.send(first)
        client.link.send(third)
        assert client.next("resync")["from_seq"] == 2
        refusal = client.next("reject")
        assert (refusal["code"], refusal["final"]) == ("seq_gap", False)
        # What was not acknowledged by then was sent again as well.
        client.next("ack", where=lambda ack: ack["seq"] == 3)
        assert list(Event.objects.order_by("id").values_list("seq", flat=True)) == [1, 2, 3]

    def test_a_hole_that_the_client_cannot_fill_is_let_be(self, join: Join) -> None:
        """ea 5: the server records a hole and goes on."""
        client = join()
        client.spool.add(**OPEN)
        client.spool.waiting.clear()
        client.signal(**OPEN)
        assert client.next("resync")["from_seq"] == 1
        assert client.next("ack")["seq"] == 2
        assert eventually(lambda: alerts("hole") == ["hole"], within_s=5)

    def test_a_hole_that_the_hello_declares(self, join: Join, one: Installation) -> None:
        spool = one.spool()
        spool.last_seq = 41
        client = join(spool)
        client.signal(**OPEN)
        assert client.next("ack")["seq"] == 42

    def test_a_hole_that_a_resync_of_the_client_declares(self, join: Join, one: Installation) -> None:
        client = join()
        client.spool.last_seq = 9
        client.link.send(one.credentials.signed({"type": "resync", "from_seq": 10}))
        client.signal(**OPEN)
        assert client.next("ack")["seq"] == 10

    def test_a_refused_event_leaves_no_gap(self, join: Join) -> None:
        client = join()
        client.signal(**OPEN | {"direction": "sideways"})
        assert client.next("reject")["code"] == "schema"
        client.signal(**OPEN)
        assert client.next("ack")["seq"] == 2

    def test_too_many_are_asked_for_again_and_none_is_lost(self, join: Join) -> None:
        """ea 5: rate limits by key; what is refused for a while comes again in its order."""
        client = join()
        for _ in range(320):
            client.signal(**OPEN)
        limited = client.next("reject")
        assert limited["code"] == "rate_limited"
        assert 0 < limited["retry_after_ms"] <= 1_000

        while client.spool.waiting:
            client.take(10)
        assert list(Event.objects.order_by("id").values_list("seq", flat=True)) == list(range(1, 321))
        assert EaOrder.objects.count() == 320


class TestHeartbeats:
    def test_a_heartbeat_is_answered_with_the_server_s_clock(self, join: Join) -> None:
        client = join()
        client.heartbeat(7, rtt_us=1_000)
        answer = client.next("heartbeat")
        assert answer["seq"] == 7
        assert abs(answer["server_ms"] - time.time() * 1_000) < 5_000
        assert answer["t_ms"] == answer["server_ms"]

    def test_the_offset_goes_into_the_log(self, join: Join) -> None:
        """ea 6.6: a client's clock that is 20 s behind is reckoned with."""
        client = join()
        client.heartbeat(1, t_ms=time.time_ns() // 1_000_000 - 20_000, rtt_us=2_000)
        client.next("heartbeat")
        client.signal(**OPEN)
        client.next("ack")
        event = Event.objects.get()
        assert 19_900 < event.offset_ms < 21_000
        assert event.rtt_us == 2_000

    @pytest.mark.slow
    def test_who_falls_silent_is_let_go_after_three(self, join: Join) -> None:
        """ea 5: three missed heartbeats; meanwhile the server has shown that it lives."""
        client = join()
        begun_s = time.monotonic()
        assert client.ended(within_s=25)
        assert 14 < time.monotonic() - begun_s < 20
        assert [frame["type"] for frame in client.frames].count("heartbeat") >= 2

    def test_who_says_no_hello_is_let_go(self, join: Join) -> None:
        client = join(hello=False)
        begun_s = time.monotonic()
        assert client.ended(within_s=12)
        assert 4 < time.monotonic() - begun_s < 9

    def test_an_unsigned_heartbeat_is_no_sign_of_life(self, join: Join) -> None:
        client = join()
        client.link.send(b'{"type":"heartbeat","seq":1,"t_ms":1,"sig":"' + b"0" * 64 + b'"}')
        assert client.next("reject")["code"] == "bad_sig"
        assert client.ended()


class TestBrokenClients:
    """F-21: only the bad connection suffers."""

    @pytest.mark.parametrize(
        "raw",
        [
            struct.pack(">I", 0),
            struct.pack(">I", 2**31),
            struct.pack(">i", -1),
            struct.pack(">I", 65_537),
            b"GET / HTTP/1.1\r\n\r\n",
            b"\xff" * 64,
        ],
    )
    def test_a_length_out_of_range_ends_the_connection(self, join: Join, raw: bytes) -> None:
        good, bad = join(), join(installation().spool())
        assert isinstance(bad.link, TcpLink)
        bad.link.socket.sendall(raw)
        assert bad.next("reject")["code"] == "bad_frame"
        assert bad.ended()
        good.signal(**OPEN)
        assert good.next("ack")["status"] == "accepted"

    def test_byte_by_byte(self, join: Join) -> None:
        client = join()
        assert isinstance(client.link, TcpLink)
        _, payload = client.spool.add(**OPEN)
        for byte in struct.pack(">I", len(payload)) + payload:
            client.link.socket.sendall(bytes([byte]))
        assert client.next("ack")["seq"] == 1

    def test_half_a_frame_and_gone(self, join: Join, gateway: Running, one: Installation) -> None:
        client = join()
        assert isinstance(client.link, TcpLink)
        _, payload = client.spool.add(**OPEN)
        client.link.socket.sendall(struct.pack(">I", len(payload)) + payload[:50])
        client.link.close()
        again = join(client.spool)
        assert again.next("ack")["status"] == "accepted"

    @pytest.mark.slow
    def test_a_frame_that_never_ends(self, join: Join) -> None:
        """F-21: slow-loris: heartbeats of bytes do not keep a connection open."""
        client = join()
        assert isinstance(client.link, TcpLink)
        link = client.link.socket
        link.sendall(struct.pack(">I", 60_000))
        begun_s = time.monotonic()

        def cut() -> bool:
            try:
                link.sendall(b" ")
            except OSError:
                return True
            return False

        eventually(cut, within_s=20, every_s=0.5)
        assert time.monotonic() - begun_s < 16

    def test_garbage_in_frames_is_answered_and_then_shown_the_door(self, join: Join, gateway: Running) -> None:
        client = join()
        for _ in range(400):
            client.link.send(b'{"type":')
        assert client.next("reject")["code"] == "bad_json"
        assert client.ended()
        with closing(gateway.client(installation().spool()).link):
            pass
        assert gateway.process.poll() is None

    def test_who_does_not_read_does_not_grow(self, join: Join, gateway: Running) -> None:
        """Bounded buffers: reading stops while the client does not read."""
        client = join()
        assert isinstance(client.link, TcpLink)
        client.link.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        before = psutil.Process(gateway.process.pid).memory_info().rss
        payload = b'{"type":"signal","v":1,' + b" " * 60_000 + b"}"
        client.link.socket.setblocking(False)
        sent = 0
        until_s = time.monotonic() + 3
        while time.monotonic() < until_s and sent < 60_000_000:
            try:
                sent += client.link.socket.send(struct.pack(">I", len(payload)) + payload)
            except (BlockingIOError, ConnectionError):
                break
        assert psutil.Process(gateway.process.pid).memory_info().rss - before < 30_000_000


class TestWebSocket:
    @pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/other", 404)])
    def test_plain_requests(self, gateway: Running, path: str, status: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.ws_port, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == status
        connection.close()

    def test_fragments_make_one_payload(self, join: Join) -> None:
        client = join(transport="ws")
        assert isinstance(client.link, WebSocketLink)
        _, payload = client.spool.add(**OPEN)
        text = payload.decode()
        client.link.socket.send([text[:10], text[10:200], text[200:]])
        assert client.next("ack")["seq"] == 1

    def test_binary_is_none(self, join: Join) -> None:
        client = join(transport="ws")
        assert isinstance(client.link, WebSocketLink)
        client.link.socket.send(client.spool.add(**OPEN)[1])
        assert client.next("reject")["code"] == "bad_frame"
        assert client.ended()

    def test_too_large_a_message(self, join: Join) -> None:
        client = join(transport="ws")
        assert isinstance(client.link, WebSocketLink)
        client.link.socket.send("x" * 65_537)
        assert client.next("reject")["code"] == "bad_frame"
        assert client.ended()


def test_what_is_told_while_nobody_listens_is_told_later(join: Join, one: Installation) -> None:
    """ea 6.8: results reach a client that was away, from the number that it has heard."""
    client = join()
    ids = [client.signal(**OPEN | {"action": "close_all"}) for _ in range(3)]
    for _ in ids:
        client.next("ack")
    client.link.close()
    execute_due()
    newcomer = join(client.spool)
    assert [newcomer.next("order")["event_id"] for _ in ids] == ids
    knowing = join(client.spool, hello=False)
    knowing.after = newcomer.frames[-1]["no"] if newcomer.frames else (newcomer.after or 0) - 1
    knowing.hello()
    assert knowing.next("order")["event_id"] == ids[-1]
    assert db.row("SELECT count(*) FROM ea_order WHERE state = 'denied'") == (3,)


def test_a_gateway_seen_from_outside_wants_tls(tmp_path: Path) -> None:
    """ea 5: TLS is required except on loopback."""
    command = [sys.executable, str(ROOT / "manage.py"), "ea_gateway", "--host", "0.0.0.0", "--port", "0"]
    ended = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "--tls-cert" in ended.stderr


def test_it_ends_in_order(tmp_path: Path, one: Installation) -> None:
    """SIGTERM: what is waiting is answered, then connections are closed."""
    with gateway_running(tmp_path) as gateway:
        client = gateway.client(one.spool())
        client.hello()
        for _ in range(50):
            client.signal(**OPEN)
        client.next("ack")
        gateway.process.terminate()
        assert client.ended()
        assert gateway.process.wait(10) == 0
        acked = sum(frame["type"] == "ack" for frame in client.frames) + 1
        assert Event.objects.count() >= acked
        client.link.close()
