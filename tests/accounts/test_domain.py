"""Addresses: where a request came from, and from where a token may be used."""

from __future__ import annotations

import pytest

from accounts.domain import address_allowed, address_parsed, client_address, ledger_of


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("192.0.2.1", "", [], "192.0.2.1"),
        ("192.0.2.1", "10.9.9.9", [], "192.0.2.1"),
        ("10.0.0.1", "192.0.2.7", ["10.0.0.0/8"], "192.0.2.7"),
        ("10.0.0.1", "10.9.9.9, 192.0.2.7", ["10.0.0.0/8"], "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7, 10.0.0.2", ["10.0.0.0/8"], "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7, nonsense", ["10.0.0.0/8"], "10.0.0.1"),
        ("10.0.0.1", "", ["10.0.0.0/8"], "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:192.0.2.7", ["10.0.0.0/8"], "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7", ["::ffff:10.0.0.0/104"], "192.0.2.7"),
        ("2001:db8::1", "192.0.2.7", ["10.0.0.0/8"], "2001:db8::1"),
        (None, "192.0.2.7", ["10.0.0.0/8"], None),
    ],
)
def test_forwarded_addresses_count_from_trusted_proxies_only(
    peer: str | None, forwarded: str, trusted: list[str], client: str | None
) -> None:
    """S-23: a client cannot choose its address; IPv4 mapped into IPv6 is the same address."""
    found = client_address(peer, forwarded, trusted)
    assert (None if found is None else str(found)) == client


@pytest.mark.parametrize(
    ("address", "networks", "allowed"),
    [
        ("192.0.2.1", [], True),
        (None, [], True),
        (None, ["0.0.0.0/0"], False),
        ("192.0.2.1", ["192.0.2.0/24"], True),
        ("192.0.3.1", ["192.0.2.0/24"], False),
        ("::ffff:192.0.2.1", ["192.0.2.1"], True),
        ("192.0.2.1", ["::ffff:192.0.2.0/120"], True),
        ("2001:db8::5", ["2001:db8::/32", "10.0.0.1"], True),
        ("2001:db9::5", ["2001:db8::/32", "10.0.0.1"], False),
    ],
)
def test_address_list_of_a_token(address: str | None, networks: list[str], allowed: bool) -> None:
    """S-23: an allow-list holds for IPv4, IPv6 and mapped addresses; no list allows all."""
    parsed = None if address is None else address_parsed(address)
    assert address_allowed(parsed, networks) is allowed


@pytest.mark.parametrize(("book", "ledger"), [("real", "real"), ("demo", "demo"), ("t:1", "tournament"), ("", None)])
def test_ledger_of_a_book(book: str, ledger: str | None) -> None:
    """Architecture, data model: the API's ledger is derived from the book."""
    assert ledger_of(book) == ledger
