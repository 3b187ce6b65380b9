"""The link is encrypted everywhere but on loopback (ea.md 5): the same rules hold, and a wrong certificate ends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ea.mql.testkit.build import HAS_TLS
from tests.ea.mql.certificates import Authority
from tests.ea.mql.desk import Desk
from tests.ea.mql.reference import Server
from tests.support import eventually

pytestmark = pytest.mark.skipif(not HAS_TLS, reason="the headers of OpenSSL are not installed")
MakeDesk = Callable[..., Desk]
SECURE = ["tls", "wss"]


@pytest.mark.parametrize("transport", SECURE)
def test_deals_over_an_encrypted_link(desk: MakeDesk, server: Server, authority: Authority, transport: str) -> None:
    server.faults.cuts_logged = 1
    at = desk("signal", transport, TERMINAL_CA=authority.certificate)
    at.deals(3)
    at.delivered(3)
    server.stop()
    at.deals(2)

    server.start()
    at.delivered(5)
    beats = len(at.book.heartbeats)
    at.terminal.do("sleep ms=300", "skip ms=1100")
    eventually(lambda: len(at.book.heartbeats) > beats, within_s=6)

    at.clean(5)
    assert server.links == 3, "an idle encrypted link with nothing to read is no broken one"


@pytest.mark.parametrize("transport", SECURE)
def test_a_certificate_of_somebody_else(desk: MakeDesk, server: Server, transport: str) -> None:
    at = desk("signal", transport)
    at.deals(1)

    at.terminal.wait_for(lambda: at.terminal.said("no TLS (error 5274)"))

    assert server.links == 0
    at.terminal.stop()


def test_a_plain_port_is_no_encrypted_one(desk: MakeDesk, server: Server, authority: Authority) -> None:
    at = desk("signal", "tls", TERMINAL_CA=authority.certificate, InpPort=server.ports["tcp"])

    at.terminal.wait_for(lambda: at.terminal.said("no TLS (error 5274)"))

    assert server.links == 0
    at.terminal.stop()
