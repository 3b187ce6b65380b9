"""A pairing code becomes the key of an expert (ea 5): the secret lies in its files and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ea.mql.desk import Desk
from tests.ea.mql.reference import Server
from tests.ea.mql.test_delivery import MakeDesk

CODE = "ABCD-2345-EFGH"
KINDS = [("signal", "tcp"), ("signal", "http"), ("mt4", "http")]


def unpaired(desk: MakeDesk, expert: str, transport: str) -> Desk:
    """Return a desk without a key, whose inputs hold a code."""
    at = desk(expert, transport, start=False, InpPairingCode=CODE)
    key_file(at).unlink()
    return at


def trade(at: Desk, expert: str) -> None:
    """Make a deal, or open an order in MetaTrader 4."""
    at.terminal.do("order" if expert == "mt4" else "deal")


def key_file(at: Desk) -> Path:
    """Return where the key lies."""
    return at.spool.with_suffix(".key")


@pytest.mark.parametrize(("expert", "transport"), KINDS)
def test_a_code_becomes_a_key_once(desk: MakeDesk, server: Server, expert: str, transport: str) -> None:
    server.pairing_code = CODE
    at = unpaired(desk, expert, transport)
    at.start()
    trade(at, expert)
    at.delivered(1)
    asked = {"code": CODE, "account": server.book.acct, "server": server.book.server}
    assert server.pairings == [asked]
    assert key_file(at).read_text().split() == [server.book.kid, server.book.secret]
    at.terminal.stop()
    assert not [line for line in at.terminal.lines if server.book.secret in line]

    # The code stays in the inputs: where there is a key nobody asks again.
    at.start()
    trade(at, expert)
    at.clean(2)
    assert server.pairings == [asked]


@pytest.mark.parametrize(("expert", "transport"), KINDS[1:])
def test_a_code_that_is_none_is_refused_and_leaves_nothing(
    desk: MakeDesk, server: Server, expert: str, transport: str
) -> None:
    at = unpaired(desk, expert, transport)
    terminal = at.start_refused()
    assert terminal.said("pairing refused: pairing.unknown")
    assert not key_file(at).exists()
    # With the right code the next start pairs.
    server.pairing_code = CODE
    at.start()
    trade(at, expert)
    at.clean(1)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"InpPairingCode": ""}, "no key: set InpPairingCode"),
        ({"InpPairingCode": "no code!"}, "InpPairingCode is a code as it was shown"),
        ({"TERMINAL_PORT_80": "1"}, "pairing: down"),
    ],
)
def test_without_a_key_it_does_not_run(desk: MakeDesk, settings: dict[str, str], why: str) -> None:
    at = unpaired(desk, "signal", "tcp")
    assert at.start_refused(**settings).said(why)
    assert not key_file(at).exists()
