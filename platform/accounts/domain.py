"""What callers may do: scopes, ledgers, addresses. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

SCOPES = ("read", "trade", "withdraw", "tokens")
LEDGERS = ("real", "demo", "tournament")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def ledger_of(book: str) -> str | None:
    """Return the ledger that clients see for a book; None for events that belong to none.

    :param book: 'real', 'demo', 't:<tournament id>' or ''
    """
    if book.startswith("t:"):
        return "tournament"
    return book or None


def address_parsed(text: str) -> Address | None:
    """Return an address with IPv4-mapped IPv6 made plain IPv4, or None when it is none."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def network_parsed(text: str) -> Network:
    """Return a network written as an address or CIDR; mapped IPv4 networks become plain ones.

    :raises ValueError: when it is neither
    """
    network = ip_network(text.strip(), strict=False)
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def address_allowed(address: Address | None, networks: Iterable[str]) -> bool:
    """Decide whether an address lies in one of the networks; no network at all allows every address."""
    allowed = [network_parsed(text) for text in networks]
    if not allowed:
        return True
    return address is not None and any(address in network for network in allowed)


def client_address(peer: str | None, forwarded_for: str, trusted: Iterable[str]) -> Address | None:
    """Return the address a request came from.

    ``X-Forwarded-For`` is believed only as far as each hop that wrote it is a trusted proxy, read
    from the right: anything a client wrote itself stands further left and is never reached.

    :param peer: the address of the connection; None for a unix socket
    :param forwarded_for: the header as received, '' when absent
    :param trusted: networks of our own proxies
    """
    networks = [network_parsed(text) for text in trusted]
    address = address_parsed(peer or "")
    hops = [hop for hop in forwarded_for.split(",") if hop.strip()]
    while hops and address is not None and any(address in network for network in networks):
        earlier = address_parsed(hops.pop())
        if earlier is None:
            break
        address = earlier
    return address
