"""An owner of installations who speaks with the API."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from tests.market import Trader, trader_open

BASE = "/api/v1/ea"
SCOPES = ("read", "trade", "tokens")


@dataclass
class Owner:
    """A trader with a token for all that concerns the bridge."""

    trader: Trader = field(default_factory=trader_open)
    scopes: tuple[str, ...] = SCOPES
    ledgers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        self.client: Client = self.trader.http(scopes=self.scopes, ledgers=self.ledgers)

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Send a request below /api/v1/ea/ and return the parsed answer, whose status must be the given one."""
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.client.generic(method, f"{BASE}/{path}", data, content_type="application/json")
        assert answer.status_code == status, answer.content
        return json.loads(answer.content) if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, *, status: int) -> str:
        """Send a request that must be refused and return the refusal's code."""
        return str(self.ask(method, path, body, status=status)["code"])

    def installation(self, account: str = "50012345", **terms: Any) -> Any:
        """Register an installation."""
        body = {"account": account, "server": "Broker-Demo", "ledger": "demo"} | terms
        return self.ask("POST", "installations", body, status=201)

    def pairing(self, link_id: int, **terms: Any) -> str:
        """Return a pairing code."""
        code: str = self.ask("POST", f"installations/{link_id}/pairing", {"ledgers": ["demo"]} | terms, status=201)[
            "code"
        ]
        return code


def paired(code: str, *, account: str = "50012345", server: str = "Broker-Demo", address: str = "127.0.0.1") -> Any:
    """Redeem a pairing code as an expert does; return status and answer."""
    body = json.dumps({"code": code, "account": account, "server": server})
    answer = Client(REMOTE_ADDR=address).post("/ea/v1/pair", body, content_type="application/json")
    return answer.status_code, json.loads(answer.content)
