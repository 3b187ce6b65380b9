"""The wire schema: what is taken, what is refused and by which code, and that nothing else can come of any bytes."""

from __future__ import annotations

import hmac
import json
import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ea.client import Credentials, event_id_new
from ea.codes import RETRIED, RejectCode, Rejected
from ea.framing import Deframer, framed
from ea.protocol import (
    ExpiryAt,
    Hello,
    Mac,
    Signal,
    Target,
    message_decoded,
    payloads_listed,
    signal_decoded,
    signature_holds,
    signed,
)
from ea.replies import Ack, encoded, reject_frame
from tests.ea.events import HELLO, SECRET, SIGNAL, payload, without

OPTIONAL = (
    *("strategy", "magic", "src_ticket", "ref_price", "bid", "ask", "valid_ms", "min_payout", "max_drift", "target"),
    "meta",
)


def refusal(members: dict[str, Any] | bytes) -> RejectCode:
    """Return the code that a payload is refused with."""
    raw = members if isinstance(members, bytes) else payload(members)
    with pytest.raises(Rejected) as refused:
        message_decoded(raw)
    return refused.value.code


def test_a_whole_signal_is_read() -> None:
    signal = message_decoded(payload(SIGNAL))
    assert isinstance(signal, Signal)
    assert (signal.event_id, signal.seq, signal.magic, signal.src_ticket) == (SIGNAL["event_id"], 1, 77, "900100")
    assert signal.target == Target(ledger="demo")
    assert signal_decoded(payload(SIGNAL)) == signal


def test_what_is_optional_may_be_missing() -> None:
    assert isinstance(message_decoded(payload(without(SIGNAL, *OPTIONAL))), Signal)


@pytest.mark.parametrize("name", [name for name in SIGNAL if name not in (*OPTIONAL, "type", "v")])
def test_what_is_needed_must_be_there(name: str) -> None:
    assert refusal(without(SIGNAL, name)) is RejectCode.SCHEMA


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "tradingview"},
        {"target": "route-7"},
        {"target": {"ledger": "tournament", "id": "x"}},
        {"expiry": {"mode": "at", "at_ms": 1_700_000_060_000}},
        {"stake": {"mode": "percent", "value": "2.5"}, "currency": "USD"},
        {"stake": {"mode": "fixed", "value": "10"}},
        {"action": "close_all", "symbol": None, "direction": None, "stake": None, "expiry": None},
        {"magic": -(2**63)},
        {"valid_ms": 200},
        {"valid_ms": 60_000},
        {"expiry": {"mode": "duration", "s": 5}},
        {"expiry": {"mode": "duration", "s": 86_400}},
        {"symbol": "ü" * 32},
        {"unknown_escape": None, "strategy": "a\\b"},
    ],
)
def test_the_bounds_themselves_are_taken(changes: dict[str, Any]) -> None:
    changes.pop("unknown_escape", None)
    assert isinstance(message_decoded(payload(SIGNAL | changes)), Signal)


@pytest.mark.parametrize(
    "changes",
    [
        {"leverage": 10},
        {"event_id": "01890a5d-ac96-474b-bcce-b302099a8057"},
        {"event_id": "01890A5D-AC96-774B-BCCE-B302099A8057"},
        {"event_id": SIGNAL["event_id"] + "\n"},
        {"kid": ""},
        {"kid": "k" * 33},
        {"kid": "k 1"},
        {"sid": "s" * 41},
        {"sid": "a\tb"},
        {"sid": "a\n"},
        {"seq": 0},
        {"seq": 2**63},
        {"seq": "1"},
        {"seq": 1.0},
        {"source": "mt6"},
        {"acct": 50012345},
        {"server": "s" * 65},
        {"strategy": "s" * 41},
        {"magic": 2**63},
        {"action": "buy"},
        {"src_ticket": "t" * 33},
        {"src_ticket": ""},
        {"symbol": "E" * 33},
        {"symbol": "EUR\x00USD"},
        {"symbol": None},
        {"direction": "up"},
        {"direction": None},
        {"stake": None},
        {"stake": {"mode": "fixed", "value": 10}},
        {"stake": {"mode": "fixed", "value": "-1"}},
        {"stake": {"mode": "fixed", "value": "1e3"}},
        {"stake": {"mode": "fixed", "value": "١"}},
        {"stake": {"mode": "all", "value": "1"}},
        {"stake": {"mode": "fixed", "value": "1", "currency": "usd"}},
        {"currency": "EUR"},
        {"expiry": {"mode": "duration", "s": 4}},
        {"expiry": {"mode": "duration", "s": 86_401}},
        {"expiry": {"mode": "at"}},
        {"expiry": {"mode": "never", "s": 60}},
        {"expiry": {"s": 60}},
        {"ref_price": "1.0851234567890"},
        {"bid": 1.1},
        {"t_sig_ms": -1},
        {"t_evt_ms": 10**13},
        {"valid_ms": 199},
        {"valid_ms": 60_001},
        {"min_payout": 80},
        {"max_drift": "0.1", "ref_price": None},
        {"target": {"ledger": "margin"}},
        {"target": {"ledger": "demo", "id": ""}},
        {"target": {}},
        {"meta": [1]},
        {"meta": {"a": "x" * 1_024}},
        {"sig": "zz"},
    ],
    ids=lambda changes: json.dumps(changes)[:60],
)
def test_what_is_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    """ea 5: ranges, types and unknown members; the refusal names the event where it can."""
    raw = payload(SIGNAL | changes)
    with pytest.raises(Rejected) as refused:
        message_decoded(raw)
    assert refused.value.code is RejectCode.SCHEMA
    assert refused.value.code.final
    if isinstance(changes.get("event_id", ""), str):
        assert refused.value.event_id == (SIGNAL | changes)["event_id"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1", b'{"a":"\xff"}', b"\xef\xbb\xbf{}", b"[" * 60_000, rb'{"type":"\ud800"}']
)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    assert refusal(raw) is RejectCode.BAD_JSON


@pytest.mark.parametrize("raw", [b"1", b"null", b"[]", b"{}", b'{"type":"bye"}', b'{"type":1}', b'"signal"'])
def test_what_is_no_payload_is_refused(raw: bytes) -> None:
    assert refusal(raw) is RejectCode.SCHEMA


@pytest.mark.parametrize("members", [SIGNAL | {"v": 2}, HELLO | {"v": 2}, {"type": "signal", "v": 3, "new": True}])
def test_another_version_is_refused_as_such(members: dict[str, Any]) -> None:
    """ea 5: an unknown major version, whatever else its schema is."""
    assert refusal(members) is RejectCode.UNSUPPORTED_VERSION


def test_deep_meta_is_refused_and_does_no_harm() -> None:
    """F-21: deep JSON."""
    deep = b'{"type":"signal","meta":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}"
    assert refusal(deep) in (RejectCode.BAD_JSON, RejectCode.SCHEMA)


class TestSignatures:
    """S-24: HMAC over the raw bytes, as the last member, and nothing else."""

    def test_ours_and_the_sample_client_s_are_the_same(self) -> None:
        ours = payload(SIGNAL)
        theirs = Credentials("k1", SECRET.decode(), account="a", server="s").signed(SIGNAL)
        assert ours == theirs
        mac = Mac(SECRET)
        assert [signature_holds(ours, mac) for _ in range(2)] == [True, True]
        assert not signature_holds(ours, Mac(SECRET[1:]))
        assert ours.startswith(b'{"type":"signal"')
        assert len(ours) - len(json.dumps(SIGNAL, separators=(",", ":"))) == 74 - 1

    def test_every_changed_byte_is_seen(self) -> None:
        raw = payload(SIGNAL)
        for place in range(len(raw)):
            changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
            assert not signature_holds(changed, Mac(SECRET)), place

    @pytest.mark.parametrize("secret", [b"", b"0123456789abcdeg", b"0123456789abcde"])
    def test_another_secret_does_not_do(self, secret: bytes) -> None:
        assert not signature_holds(payload(SIGNAL), Mac(secret))

    def test_it_must_stand_last_and_in_lower_case(self) -> None:
        raw = payload(SIGNAL)
        moved = json.dumps({"sig": raw[-66:-2].decode()} | SIGNAL, separators=(",", ":")).encode()
        assert not signature_holds(moved, Mac(SECRET))
        assert not signature_holds(raw[:-66] + raw[-66:-2].upper() + b'"}', Mac(SECRET))
        assert not signature_holds(raw[-74:], Mac(SECRET))
        assert not signature_holds(b"", Mac(SECRET))

    @given(st.binary(max_size=200), st.binary(max_size=200))
    def test_it_is_the_hmac_of_everybody_else(self, octets: bytes, secret: bytes) -> None:
        assert Mac(secret).hexdigest(octets) == hmac.digest(secret, octets, "sha256").hex()

    @given(st.binary(max_size=200), st.binary(max_size=80))
    def test_no_bytes_break_it(self, raw: bytes, secret: bytes) -> None:
        assert not signature_holds(raw, Mac(secret)) or raw == signed(raw[:-74] + b"}", secret)


class TestLists:
    """A request holds one payload or an array of up to 50, each with its own bytes."""

    def test_each_keeps_its_bytes(self) -> None:
        one, two = payload(SIGNAL), payload(SIGNAL | {"seq": 2, "strategy": "ü [] {}"})
        listed, several = payloads_listed(b" [ " + one + b" ,\n" + two + b" ] ")
        assert (listed, several) == ([one, two], True)
        assert payloads_listed(b"\n" + one + b" ") == ([one], False)

    @pytest.mark.parametrize("body", [b"[", b"[1,]", b"[]", b"[" + b",".join([b"1"] * 51) + b"]"])
    def test_what_is_no_list_is_refused(self, body: bytes) -> None:
        with pytest.raises(Rejected):
            payloads_listed(body)


class TestFrames:
    """F-21: length 0, 2^31, negative, split byte by byte."""

    def test_any_split_gives_the_same_payloads(self) -> None:
        payloads = [b"a", b"{}" * 3_000, b"x" * 65_536, b"b"]
        stream = b"".join(framed(one) for one in payloads)
        rng = random.Random(1)
        for size_max in (1, 7, 5_000, 200_000):
            deframer, found, at = Deframer(), list[bytes](), 0
            while at < len(stream):
                size = rng.randint(1, size_max)
                found += deframer.fed(stream[at : at + size])
                at += size
            assert found == payloads
            assert not deframer.waiting

    @pytest.mark.parametrize("length", [0, 65_537, 2**31, 2**32 - 1])
    def test_a_length_out_of_range_ends_the_stream(self, length: int) -> None:
        deframer = Deframer()
        with pytest.raises(Rejected) as refused:
            deframer.fed(length.to_bytes(4, "big"))
        assert refused.value.code is RejectCode.BAD_FRAME

    def test_no_more_than_one_frame_is_held(self) -> None:
        deframer = Deframer()
        for _ in range(3):
            deframer.fed(framed(b"x" * 65_536)[:-1])
            assert len(deframer._rest) <= 65_540
            assert deframer.fed(b"x") == [b"x" * 65_536]


def test_codes_and_what_a_client_does_about_them() -> None:
    """ea 5: final ones are dropped, the others sent again after the time that is told."""
    assert {code.value for code in RETRIED} == {"seq_gap", "rate_limited", "overloaded", "internal"}
    for code in RejectCode:
        frame = reject_frame(Rejected(code, "why", event_id="e"), retry_after_ms=700)
        assert frame.final is code.final is (code not in RETRIED)
        assert frame.retry_after_ms == (0 if code.final else 700)


def test_an_acknowledgement_is_told_as_the_guide_says() -> None:
    ack = Ack(event_id="e", seq=1, status="accepted", order_ids=[], t_recv_us=1, t_log_us=2)
    assert msgspec.json.decode(encoded(ack)) == {
        "type": "ack",
        "event_id": "e",
        "seq": 1,
        "status": "accepted",
        "order_ids": [],
        "t_recv_us": 1,
        "t_log_us": 2,
    }


def test_ids_of_the_sample_client_have_the_shape() -> None:
    assert isinstance(message_decoded(payload(SIGNAL | {"event_id": event_id_new()})), Signal)
    assert event_id_new(1) < event_id_new(2)


def test_a_hello_is_read() -> None:
    hello = message_decoded(payload(HELLO))
    assert isinstance(hello, Hello)
    assert (hello.first_seq, hello.last_seq, hello.after) == (5, 7, None)


def test_an_expiry_at_an_instant_is_read() -> None:
    signal = message_decoded(payload(SIGNAL | {"expiry": {"mode": "at", "at_ms": 5}}))
    assert isinstance(signal, Signal)
    assert signal.expiry == ExpiryAt(at_ms=5)


def test_a_hundred_thousand_broken_frames_give_codes_only() -> None:
    """F-21: 100,000 frames, cut, flipped, repeated, spliced and made of other values; no other exception."""
    rng = random.Random(20_240_601)
    seeds = [payload(SIGNAL), payload(HELLO), payload({"type": "heartbeat", "seq": 1, "t_ms": 1, "spool": 0})]
    values = [b"null", b"1e999", b"-0", b'"\\ud800"', b"[[[[", b'{"a":', b'"\xf0\x9f"', b"9" * 400, b"\x00", b"true"]
    seen = Counter[str]()
    for _ in range(100_000):
        raw = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(raw) + 1)
            act = rng.randrange(5)
            if act == 0:
                del raw[place : place + rng.randint(1, 40)]
            elif act == 1 and place < len(raw):
                raw[place] = rng.randrange(256)
            elif act == 2:
                raw[place:place] = rng.choice(values)
            elif act == 3:
                raw[place:place] = raw[rng.randrange(len(raw) + 1) :][:60]
            else:
                raw += rng.choice(seeds)[place : place + 200]
        try:
            message = message_decoded(bytes(raw))
        except Rejected as rejected:
            seen[rejected.code.value] += 1
        else:
            seen[type(message).__name__] += 1
            if not signature_holds(bytes(raw), Mac(SECRET)):
                seen["bad_sig"] += 1
    assert set(seen) <= {"bad_json", "schema", "unsupported_version", "bad_sig", "Signal", "Hello", "Heartbeat"}
    assert seen["bad_json"] > 10_000
    assert seen["schema"] > 5_000
