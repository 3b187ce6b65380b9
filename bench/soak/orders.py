"""The load: orders at a steady pace whatever the platform does, each judged by the answer that it must get."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from bench.soak.findings import Findings
from bench.soak.market import CODES
from bench.soak.traders import Trader
from kernel.clock import rfc3339, wall_ms

ANSWER_LIMIT_S = 60.0
RETRY_S = (0.2, 2.0)
IN_FLIGHT_MAX = 1_000
REMEMBERED = 400
BUSY = "order.busy"
# What may be said of any order at any time: operators, feeds and trading hours see to it.
MARKET_REFUSALS = frozenset(
    {
        *("market.closed", "market.halted", "market.close_only", "market.stale"),
        *("order.expiry.outside_session", "account.banned", BUSY),
    }
)
CLOCK_REFUSALS = frozenset({"order.expiry.past_deadline", "order.duration.out_of_range"})
WRONG: dict[str, dict[str, Any]] = {
    "order.stake.below_minimum": {"stake": "0.01"},
    "order.stake.above_maximum": {"stake": "999999.00"},
    "order.stake.precision": {"stake": "1.001"},
    "order.duration.out_of_range": {"duration_s": 1},
    "order.direction.invalid": {"direction": "sideways"},
    "symbol.unknown": {"symbol": "NOSUCH"},
    "request.invalid": {"stake": "1e3"},
    "wallet.unknown": {"ledger": None, "wallet_id": "00000000-0000-7000-8000-000000000000"},
}


@dataclass(frozen=True, slots=True)
class Ask:
    """One order as it is sent.

    :param kind: plain, twin (sent twice at once), repeat, other_terms, or wrong
    :param may_refuse: codes that are no surprise
    :param must: the code that must come, unless the client is banned; empty for orders that may be accepted
    """

    trader: Trader
    body: dict[str, Any]
    kind: str = "plain"
    may_refuse: frozenset[str] = MARKET_REFUSALS
    must: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A final answer: its status, its code where it is a refusal, and the order's id where it is none."""

    status: int
    code: str = ""
    order_id: str = ""

    @property
    def label(self) -> str:
        """Return what it is counted as."""
        return f"{self.status} {self.code}".strip()


@dataclass
class Composer:
    """Draws orders; the same seed draws the same ones as long as the same are accepted."""

    traders: Sequence[Trader]
    rng: random.Random
    _number: int = 0
    _accepted: list[tuple[Ask, str]] = field(default_factory=list)

    def compose(self) -> Ask:
        """Return the next order."""
        drawn = self.rng.random()
        if drawn < 0.05 and self._accepted:
            return self._repeat(equal=drawn < 0.03)
        plain = self._plain()
        if drawn < 0.08:
            return replace(plain, kind="twin")
        if drawn < 0.12:
            code, terms = self.rng.choice(list(WRONG.items()))
            if "duration_s" in terms:
                plain.body.pop("expires_at", None)
            body = {name: value for name, value in (plain.body | terms).items() if value is not None}
            return replace(plain, body=body, kind="wrong", must=code)
        return plain

    def remember(self, ask: Ask, order_id: str) -> None:
        """Keep an accepted order for repeats; the oldest are forgotten."""
        self._accepted.append((ask, order_id))
        if len(self._accepted) > REMEMBERED:
            del self._accepted[: REMEMBERED // 2]

    def order_id(self, ask: Ask) -> str:
        """Return the id of the accepted order that this one repeats."""
        wanted = ask.body["client_order_id"]
        return next((known for earlier, known in self._accepted if earlier.body["client_order_id"] == wanted), "")

    def _plain(self) -> Ask:
        self._number += 1
        rng = self.rng
        body: dict[str, Any] = {
            "client_order_id": f"soak-{self._number}",
            "ledger": rng.choice(("demo", "real")),
            "symbol": rng.choice(CODES),
            "direction": rng.choice(("up", "down")),
            "stake": f"{rng.randint(100, 900) / 100:.2f}",
        }
        may = MARKET_REFUSALS
        if rng.random() < 0.2:
            # A round clock time behind the purchase deadline.
            expires_ms = (wall_ms() + rng.randint(13_000, 55_000)) // 5_000 * 5_000 + 5_000
            body, may = body | {"expires_at": rfc3339(expires_ms)}, may | CLOCK_REFUSALS
        else:
            body["duration_s"] = rng.randint(5, 60)
        return Ask(rng.choice(self.traders), body, may_refuse=may)

    def _repeat(self, *, equal: bool) -> Ask:
        ask, _ = self.rng.choice(self._accepted)
        if equal:
            return replace(ask, kind="repeat", may_refuse=frozenset({"account.banned", BUSY}))
        turned = {"up": "down", "down": "up"}[ask.body["direction"]]
        body = ask.body | {"direction": turned}
        return replace(ask, body=body, kind="other_terms", must="order.client_order_id.reused")


class Load:
    """Sends orders by the clock: a slow answer delays no other order, and its wait is counted in full."""

    def __init__(self, *, url: str, composer: Composer, findings: Findings) -> None:
        self._composer = composer
        self._findings = findings
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        self._http = httpx.AsyncClient(base_url=f"{url}/api/v1", limits=limits, timeout=10.0, trust_env=False)
        self._room = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def run(self, *, rate: float, seconds: float) -> None:
        """Place orders for so many seconds, then wait for the last answers."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        async with self._http, asyncio.TaskGroup() as tasks:
            for number in range(round(rate * seconds)):
                due_s = begun_s + number / rate
                await asyncio.sleep(max(0.0, due_s - loop.time()))
                await self._room.acquire()
                tasks.create_task(self._place(self._composer.compose(), due_s))

    async def _place(self, ask: Ask, due_s: float) -> None:
        try:
            self._findings.asked[ask.kind] += 1
            copies = 2 if ask.kind == "twin" else 1
            answers = await asyncio.gather(*(self._answered(ask) for _ in range(copies)))
            waited_s = asyncio.get_running_loop().time() - due_s
            self._findings.latencies_ms.append(waited_s * 1000)
            for answer in answers:
                self._findings.answers[answer.label] += 1
            self._judge(ask, answers)
        finally:
            self._room.release()

    async def _answered(self, ask: Ask) -> Answer:
        """Send an order until it is answered; its id makes that harmless."""
        loop = asyncio.get_running_loop()
        until_s, pause_s = loop.time() + ANSWER_LIMIT_S, RETRY_S[0]
        while loop.time() < until_s:
            try:
                return await self._sent(ask)
            except httpx.TransportError:
                self._findings.retries += 1
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, RETRY_S[1])
        return Answer(0, "unanswered")

    async def _sent(self, ask: Ask) -> Answer:
        headers = {"Authorization": f"Bearer {ask.trader.token}", "Content-Type": "application/json"}
        loop = asyncio.get_running_loop()
        sent_s = loop.time()
        response = await self._http.post("/orders", content=json.dumps(ask.body), headers=headers)
        self._findings.answers_ms.append((loop.time() - sent_s) * 1000)
        try:
            document = response.json()
        except ValueError:
            return Answer(response.status_code, "not JSON")
        if response.status_code in (200, 201):
            return Answer(response.status_code, order_id=document["id"])
        return Answer(response.status_code, str(document.get("code")))

    def _judge(self, ask: Ask, answers: Sequence[Answer]) -> None:
        accepted = [answer for answer in answers if answer.order_id]
        for answer in accepted:
            self._findings.accepted[answer.order_id] = ask.trader.number
        problem = answers_problem(ask, answers, known_id=self._composer.order_id(ask))
        if problem:
            self._findings.violated(f"{problem}: {[answer.label for answer in answers]} to {ask.kind} {ask.body}")
        elif accepted and ask.kind in ("plain", "twin"):
            self._composer.remember(replace(ask, kind="plain"), accepted[0].order_id)


def answers_problem(ask: Ask, answers: Sequence[Answer], *, known_id: str) -> str:
    """Return what is wrong with the answers to one order, or nothing.

    :param known_id: the id of the order that it repeats, where that is still known
    """
    accepted = [answer for answer in answers if answer.order_id]
    for answer in answers:
        if answer.status == 0 or (answer.status >= 500 and answer.code != BUSY) or answer.code == "not JSON":
            return "no proper answer"
        if not answer.order_id and answer.code not in (
            {ask.must, "account.banned", BUSY} if ask.must else ask.may_refuse
        ):
            return "an answer that this order cannot get"
    if accepted and ask.must:
        return "accepted what must be refused"
    if len({answer.order_id for answer in accepted}) > 1 or sum(answer.status == 201 for answer in answers) > 1:
        return "one client_order_id has made two orders"
    if (
        ask.kind == "repeat"
        and accepted
        and (accepted[0].status == 201 or accepted[0].order_id != (known_id or accepted[0].order_id))
    ):
        return "a repeat has made another order"
    return ""
