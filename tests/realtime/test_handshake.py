"""Whose page opens a socket."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from realtime.handshake import handshake_of, origin_is_own


def _scope(*headers: tuple[str, str], scheme: str = "ws", peer: str = "127.0.0.1") -> dict[str, Any]:
    return {
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "scheme": scheme,
        "client": (peer, 1),
    }


@pytest.mark.parametrize(
    ("host", "origin", "scheme", "own"),
    [
        ("localhost", "http://localhost", "ws", True),
        ("localhost", "http://localhost:80", "ws", True),
        ("localhost:443", "https://localhost", "wss", True),
        ("localhost:8000", "http://LOCALHOST:8000", "ws", True),
        ("localhost:8000", "http://localhost:8001", "ws", False),
        ("localhost:8000", "https://localhost:8000", "ws", False),
        ("localhost:8000", "http://localhost:8000/path", "ws", False),
        ("localhost:8000", "http://user@localhost:8000", "ws", False),
        ("localhost:8000", "http://localhost:notaport", "ws", False),
        ("localhost:8000", "http://localhost:8000.evil.example", "ws", False),
        ("localhost:8000", "ws://localhost:8000", "ws", False),
        ("localhost:8000", "", "ws", False),
        ("localhost:8000", "null", "ws", False),
        ("evil.example", "http://evil.example", "ws", False),
        ("", "http://", "ws", False),
    ],
)
def test_only_the_same_scheme_host_and_port_are_our_own(host: str, origin: str, scheme: str, own: bool) -> None:
    """S-06: an origin is ours when scheme, host and port are those of the request, and the host is allowed."""
    scope = _scope(("host", host), ("origin", origin), scheme=scheme)
    assert origin_is_own(handshake_of(scope)) is own


def test_scheme_told_by_a_proxy_counts_from_trusted_proxies_only(settings: Settings) -> None:
    """S-06: behind a proxy that ends TLS the page is https; a client cannot claim that by itself."""
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    headers = (("host", "localhost"), ("origin", "https://localhost"), ("x-forwarded-proto", "https"))
    assert origin_is_own(handshake_of(_scope(*headers, peer="10.1.2.3")))
    assert not origin_is_own(handshake_of(_scope(*headers, peer="192.0.2.1")))


def test_origins_that_operators_trust_are_our_own(settings: Settings) -> None:
    """S-06: CSRF_TRUSTED_ORIGINS names further pages of ours, exactly."""
    settings.CSRF_TRUSTED_ORIGINS = ["https://trade.example"]
    assert origin_is_own(handshake_of(_scope(("host", "localhost"), ("origin", "https://trade.example"))))
    assert not origin_is_own(handshake_of(_scope(("host", "localhost"), ("origin", "https://trade.example.evil.io"))))


def test_session_key_and_address_are_read(settings: Settings) -> None:
    """S-23: the address is the proxy's word only when the proxy is ours; broken cookies mean none."""
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    found = handshake_of(
        _scope(("host", "localhost"), ("cookie", "a=b; sessionid=abc"), ("x-forwarded-for", "192.0.2.7"))
    )
    assert (found.session_key, str(found.address)) == ("abc", "192.0.2.7")
    assert handshake_of(_scope(("cookie", "sessionid"))).session_key is None
