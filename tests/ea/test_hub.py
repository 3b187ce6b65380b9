"""What connections of a gateway share: whom it reads the database for."""

from __future__ import annotations

import asyncio
from threading import Event
from typing import Any

import pytest

from ea.gateway import hub as hub_module
from ea.gateway.hub import Hub
from ea.gateway.session import Session
from ea.protocol import Hello
from tests.ea.events import HELLO, payload
from tests.ea.test_inbox import FakeWire


@pytest.mark.parametrize(("gone", "reads"), [(False, 1), (True, 0)])
def test_nothing_is_read_for_a_client_that_has_given_up(
    monkeypatch: pytest.MonkeyPatch, gone: bool, reads: int
) -> None:
    """F-20: in a storm, what nobody waits for any more must not hold up those who do."""
    asked: list[str] = []

    def read(hello: Hello) -> tuple[dict[str, Any], int, int]:
        asked.append(hello.kid)
        return {}, 0, 0

    monkeypatch.setattr(hub_module, "_read", read)

    async def run() -> None:
        hub, wire, busy = Hub(), FakeWire(), Event()
        hub._reader.submit(busy.wait)
        session = Session(hub, wire, None)
        session.heard(payload(HELLO | {"nonce": wire.frames[0]["nonce"]}))
        if gone:
            session.lost()
        busy.set()
        await asyncio.get_running_loop().run_in_executor(hub._reader, lambda: None)
        await hub.stop()

    asyncio.run(run())
    assert len(asked) == reads
