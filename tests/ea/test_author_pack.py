"""What authors of clients are given is what the code says: schema, codes, symbols, and a client that works."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from django.core.management import CommandError, call_command
from pytest_django.live_server_helper import LiveServer

from accounts.limits import LIMITS
from ea import client_shell
from ea.client import WAITING_MAX, DiskSpool, HttpClient
from ea.client import Client as TcpClient
from ea.code_table import DENIALS, REFUSALS, REJECTS, RESULTS, codes_document
from ea.codes import RejectCode
from ea.models import EaOrder, Event
from ea.protocol import Message
from ea.replies import frames_told
from ea.schemas import schema_document
from kernel import db
from kernel.facts import facts_apply
from tests.ea.bridge import OPEN, Installation, execute_due, gateway_running, installation, order_of
from tests.market import Market, market_open, order_row, settle_due
from tests.support import eventually
from trading.domain import OrderState

ROOT = Path(__file__).resolve().parents[2]
_CODE = re.compile(r"(signal|symbol|action|auth|route|wallet|risk|market|order|account|exposure)\.[a-z_.]+")


def test_published_pages_are_those_of_the_code() -> None:
    """docs/ea/schema.json and codes.md; ``manage.py export_ea`` renews them."""
    call_command("export_ea", "--check", verbosity=0)


def test_a_stale_page_is_told(tmp_path: Path) -> None:
    call_command("export_ea", "--into", str(tmp_path), verbosity=0)
    call_command("export_ea", "--check", "--into", str(tmp_path), verbosity=0)
    (tmp_path / "codes.md").write_text("")
    with pytest.raises(CommandError, match=r"codes\.md"):
        call_command("export_ea", "--check", "--into", str(tmp_path), verbosity=0)


def test_every_frame_has_its_form() -> None:
    """Contract, EA wire protocol: one schema for every frame of either side, and for alerts."""
    document = json.loads(schema_document())
    parts = document["$defs"]
    told = {part["properties"]["type"]["enum"][0] for part in parts.values() if "type" in part.get("properties", {})}
    assert {kind.__struct_config__.tag for kind in (*get_args(Message), *frames_told())} == told
    assert parts["Signal"]["additionalProperties"] is False
    assert set(parts["Alert"]["required"]) == {"action", "timenow"}


def _literals(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _said(*patterns: str) -> set[str]:
    files = [path for pattern in patterns for path in ROOT.glob(pattern) if "mql" not in path.parts]
    assert files
    return {text for path in files for text in _literals(path) if _CODE.fullmatch(text)}


def _made_of_names() -> set[str]:
    """Return the codes that a module makes of its ``NAMES``, as in ``f"risk.{name}"``."""
    found = set[str]()
    for path in (ROOT / "ea").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else None
            if isinstance(first, ast.Constant) and first.value == "risk.":
                found |= {f"risk.{name}" for name in importlib.import_module(f"ea.{path.stem}").NAMES}
    return found


def test_every_code_is_explained() -> None:
    """Each code that the bridge or placement can tell a client stands in the table."""
    assert set(REJECTS) == set(RejectCode)
    sources = {path.name for path in (ROOT / "ea").glob("*.py")} - {"code_table.py"}
    own = _said(*(f"ea/{name}" for name in sources)) | _made_of_names()
    # A fact's name; and a refusal after which the executor tries again by itself.
    assert own - {"order.settled", "order.busy"} <= set(DENIALS) | set(REFUSALS)
    # Said by placement, but to nobody here: judged before it, or tried again.
    elsewhere = {"order.busy", "auth.ledger", "signal.stale", "symbol.unknown"}
    placement = _said("trading/errors.py", "trading/domain.py")
    assert placement - elsewhere <= set(REFUSALS)
    assert {f"limit.{name}" for name in LIMITS if name != "deposit_day"} <= set(REFUSALS)
    assert {state for state in OrderState if state != "open"} == set(RESULTS)


def test_the_table_has_each_code_once() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", codes_document(), re.MULTILINE)
    assert len(rows) == len(REJECTS) + len(DENIALS) + len(REFUSALS) + len(RESULTS)


class TestDiskSpool:
    """ea 6.8, F-23: the sample keeps what a client has to keep."""

    @pytest.fixture
    def one(self, db: None) -> Installation:
        return installation()

    def test_what_waits_outlives_the_program(self, one: Installation, tmp_path: Path) -> None:
        spool = DiskSpool(one.credentials, tmp_path / "spool")
        kept = [spool.add(**OPEN) for _ in range(3)]
        spool.drop(kept[1][0])
        spool.close()
        again = DiskSpool(one.credentials, tmp_path / "spool")
        assert list(again.waiting.items()) == [kept[0], kept[2]]
        assert (again.sid, again.last_seq, again.first_seq) == (spool.sid, 3, 1)
        for event_id in list(again.waiting):
            again.drop(event_id)
        again.close()
        empty = DiskSpool(one.credentials, tmp_path / "spool")
        assert (empty.sid, empty.last_seq, empty.first_seq, empty.waiting) == (spool.sid, 3, 4, {})
        empty.close()

    def test_a_torn_end_is_cut_off_at_each_byte(self, one: Installation, tmp_path: Path) -> None:
        """F-23: earlier records intact; the torn one was never sent, so its number is given again."""
        path = tmp_path / "spool"
        spool = DiskSpool(one.credentials, path)
        first = spool.add(**OPEN)
        before = path.stat().st_size
        spool.add(**OPEN)
        spool.close()
        whole = path.read_bytes()
        for cut in range(before, len(whole)):
            path.write_bytes(whole[:cut])
            again = DiskSpool(one.credentials, path)
            assert list(again.waiting.items()) == [first], cut
            assert again.last_seq == 1
            again.close()

    def test_one_program_at_a_time(self, one: Installation, tmp_path: Path) -> None:
        spool = DiskSpool(one.credentials, tmp_path / "spool")
        with pytest.raises(BlockingIOError):
            DiskSpool(one.credentials, tmp_path / "spool")
        spool.close()

    def test_a_spoilt_file_is_not_guessed_at(self, one: Installation, tmp_path: Path) -> None:
        (tmp_path / "spool").write_bytes(b"S s\nsomething else\nN 3\n")
        with pytest.raises(ValueError, match="no line of one"):
            DiskSpool(one.credentials, tmp_path / "spool")

    def test_a_full_spool_refuses(self, one: Installation, tmp_path: Path) -> None:
        spool = DiskSpool(one.credentials, tmp_path / "spool")
        for number in range(WAITING_MAX):
            spool.waiting[str(number)] = b""
        with pytest.raises(BufferError):
            spool.add(**OPEN)
        assert spool.last_seq == 0
        spool.close()

    def test_a_full_disk_leaves_no_half_a_line(self, one: Installation, tmp_path: Path) -> None:
        """F-22: the event is refused to the caller, and the file is as it was."""
        path = tmp_path / "spool"
        spool = DiskSpool(one.credentials, path)
        kept = spool.add(**OPEN)
        file = spool._file

        class Full:
            def write(self, data: bytes) -> int:
                return file.write(data[:10])

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        spool._file = Full()  # type: ignore[assignment]
        with pytest.raises(OSError, match="disk is full"):
            spool.add(**OPEN)
        spool._file = file
        later = spool.add(**OPEN)
        spool.close()
        again = DiskSpool(one.credentials, path)
        assert list(again.waiting.items()) == [kept, later]
        assert again.last_seq == 2
        again.close()


@pytest.mark.django_db(transaction=True)
class TestOverHttp:
    """The sample client against the real web application."""

    @pytest.fixture
    def market(self) -> Market:
        return market_open()

    @pytest.fixture
    def one(self) -> Installation:
        return installation()

    def test_from_a_signal_to_its_result(
        self, market: Market, one: Installation, tmp_path: Path, live_server: LiveServer
    ) -> None:
        """ea 5: posted, asked for by number, settled; the clock's offset is learned from answers."""
        spool = DiskSpool(one.credentials, tmp_path / "spool")
        client = HttpClient(spool, live_server.url)
        event_id = client.signal(**OPEN)
        assert spool.waiting == {}
        assert abs(client.offset_ms) < 5_000
        execute_due()
        (accepted,) = client.commands()
        assert (accepted["event_id"], accepted["state"]) == (event_id, "accepted")
        order = order_row(accepted["order_id"])
        market.tick("1.09000", at_ms=order.expires_at_ms)
        market.tick("1.09000", at_ms=order.expires_at_ms + 5_000)
        assert settle_due() == 1
        while facts_apply(10):
            pass
        (settled,) = client.commands(wait_ms=500)
        assert (settled["state"], settled["code"]) == ("settled", "won")
        assert client.commands() == []
        spool.close()

    def test_what_could_not_be_sent_is_sent_again(
        self, one: Installation, tmp_path: Path, live_server: LiveServer
    ) -> None:
        """ea 6.8: the same bytes, in their order, once the server is back; what is refused for good is dropped."""
        spool = DiskSpool(one.credentials, tmp_path / "spool")
        away = HttpClient(spool, "http://127.0.0.1:1")
        for _ in range(3):
            with pytest.raises(OSError, match=r"refused|Errno"):
                away.signal(**OPEN)
        bad, _ = spool.add(**OPEN | {"direction": "up"})
        kept = list(spool.waiting.values())
        spool.close()
        again = DiskSpool(one.credentials, tmp_path / "spool")
        client = HttpClient(again, live_server.url)
        answers = client.push()
        assert [answer["type"] for answer in answers] == ["ack", "ack", "ack", "reject"]
        assert answers[3]["event_id"] == bad
        assert again.waiting == {}
        assert [bytes(event.raw) for event in Event.objects.order_by("seq")] == kept[:3]
        again.close()

    def test_symbols_tell_what_the_key_may_trade(
        self, market: Market, one: Installation, live_server: LiveServer
    ) -> None:
        """ea 5: states, payouts, bounds, scales, the broker's names and the key's limits."""
        db.run("INSERT INTO ea_symbol_alias (link_id, raw, symbol) VALUES (NULL, 'EURO', 'EURUSD')")
        db.run(
            "INSERT INTO ea_symbol_alias (link_id, raw, symbol) VALUES (%s, 'EU', 'EURUSD'), (%s, 'EURO', 'GBPUSD')",
            [one.link.pk, one.link.pk],
        )
        other = installation(account="2")
        db.run("INSERT INTO ea_symbol_alias (link_id, raw, symbol) VALUES (%s, 'X', 'EURUSD')", [other.link.pk])
        told = HttpClient(one.spool(), live_server.url).symbols()
        (symbol,) = told["symbols"]
        assert symbol | {"name": "", "state_reason": None} == {
            "code": "EURUSD",
            "name": "",
            "state": "open",
            "state_reason": None,
            "next_open": None,
            "payout_percent": 85,
            "currency": "USD",
            "min_stake": symbol["min_stake"],
            "max_stake": symbol["max_stake"],
            "min_duration_s": 1,
            "max_duration_s": symbol["max_duration_s"],
            "price_scale": 5,
            "price": "1.08512",
            "aliases": ["EU"],
        }
        assert (told["key"]["kid"], told["key"]["ledgers"]) == (one.key.kid, ["demo"])
        assert told["key"]["limits"] == {"signals_per_s": 50, "burst": 200, "under_way": 50}
        assert told["installation"]["ledger"] == "demo"

    def test_strangers_are_told_why(self, one: Installation, live_server: LiveServer) -> None:
        """S-24: the query is signed and fresh."""
        spool = one.spool()
        spool.credentials = type(spool.credentials)(one.key.kid, "wrong", account="1", server="s")
        client = HttpClient(spool, live_server.url)
        with pytest.raises(PermissionError, match="bad_sig"):
            client.symbols()
        with pytest.raises(PermissionError, match="bad_sig"):
            client.commands()

    def test_the_shell(
        self, market: Market, one: Installation, tmp_path: Path, live_server: LiveServer, capsys: Any
    ) -> None:
        """docs/ea/sandbox.md: list symbols; send again what waits."""
        (tmp_path / "key").write_text(f"{one.key.kid} {one.credentials._secret.decode()}\n")
        common = ["--key", str(tmp_path / "key"), "--account", one.link.account, "--server", one.link.server]
        common += ["--url", live_server.url, "--spool", str(tmp_path / "spool")]
        assert client_shell.main([*common, "symbols"]) == 0
        assert json.loads(capsys.readouterr().out)["symbols"][0]["code"] == "EURUSD"
        spool = DiskSpool(one.credentials, tmp_path / "spool")
        spool.add(**OPEN)
        spool.close()
        assert client_shell.main([*common, "resend"]) == 0
        assert json.loads(capsys.readouterr().out)["status"] == "accepted"
        assert client_shell.main([*common, "resend"]) == 0
        assert EaOrder.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_client_over_tcp_goes_on_after_a_lost_answer(tmp_path: Path) -> None:
    """ea 6.8, F-20: a program that ends before it hears of the acknowledgement sends the same bytes once more."""
    market = market_open()
    one = installation()
    with gateway_running(tmp_path) as gateway:
        spool = DiskSpool(one.credentials, tmp_path / "spool")
        first = gateway.client(spool)
        assert first.hello()["type"] == "welcome"
        event_id = first.signal(**OPEN)
        assert eventually(Event.objects.exists, within_s=10)
        first.link.close()
        spool.close()
        again = DiskSpool(one.credentials, tmp_path / "spool")
        assert list(again.waiting) == [event_id]
        second: TcpClient = gateway.client(again)
        assert second.hello()["last_seq_seen"] == 1
        assert second.next("ack")["status"] == "duplicate"
        assert again.waiting == {}
        later = second.signal(**OPEN)
        assert second.next("ack", where=lambda frame: frame["event_id"] == later)["seq"] == 2
        second.link.close()
        again.close()
    # The processes took longer to start than a price is fresh.
    market.admitted("1.08512")
    execute_due()
    assert order_of(event_id).state == "open"
    assert EaOrder.objects.count() == 2
