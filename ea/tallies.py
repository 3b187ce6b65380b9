"""What results of installations come to, noted as they come: what limits on losses are judged by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from ea import statements
from ea.risk_rules import Streak, Tally
from kernel import db


@dataclass(frozen=True, slots=True)
class Result:
    """A settled order of an installation; money in minor units.

    :param payout: what was paid, the stake included
    """

    event: int
    link_id: int
    wallet_id: UUID
    strategy: str
    stake: int
    payout: int
    settled_at_ms: int


def results_tally(results: Sequence[Result]) -> None:
    """Note results in the transaction that gives them to their orders, which has locked the installations' counters."""
    db.require_transaction()
    if not results:
        return
    tallies, streaks = _standing({(one.link_id, one.wallet_id, one.strategy) for one in results})
    rows = []
    for one in sorted(results, key=lambda result: (result.settled_at_ms, result.event)):
        place, bucket = (one.link_id, one.wallet_id), (one.link_id, one.wallet_id, one.strategy)
        net = one.payout - one.stake
        tally = tallies[place] = tallies[place].after(net, at_ms=one.settled_at_ms)
        streak = streaks[bucket] = streaks[bucket].after(stake=one.stake, net=net, at_ms=tally.at_ms)
        rows.append(_row(place, tally, streak, net=net, event=one.event, strategy=one.strategy))
    db.run(statements.TALLIES_ADD, {"rows": json.dumps(rows)})


def reset_mark(*, link_id: int, wallet_id: UUID, now_ms: int, anew: bool) -> int:
    """Note a reset in the caller's transaction, which has locked the installation's counter; return its instant.

    :param anew: whether the drawdown is measured from here on
    """
    db.require_transaction()
    tallies, _ = _standing({(link_id, wallet_id, "")})
    place = (link_id, wallet_id)
    tally = tallies[place].marked(at_ms=now_ms, anew=anew)
    db.run(statements.TALLIES_ADD, {"rows": json.dumps([_row(place, tally, Streak(), net=0)])})
    return tally.at_ms


def _standing(
    asked: set[tuple[int, UUID, str]],
) -> tuple[dict[tuple[int, UUID], Tally], dict[tuple[int, UUID, str], Streak]]:
    wanted = sorted(asked)
    params = {
        "links": [link_id for link_id, _, _ in wanted],
        "wallets": [wallet_id for _, wallet_id, _ in wanted],
        "strategies": [strategy for _, _, strategy in wanted],
    }
    found = db.rows(statements.TALLIES, params)
    tallies = {(row[0], row[1]): Tally(*row[3:8]) for row in found}
    return tallies, {(row[0], row[1], row[2]): Streak(*row[8:]) for row in found}


def _row(
    place: tuple[int, UUID],
    tally: Tally,
    streak: Streak,
    *,
    net: int,
    event: int | None = None,
    strategy: str | None = None,
) -> dict[str, Any]:
    link_id, wallet_id = place
    own = {"link_id": link_id, "wallet_id": str(wallet_id), "event_id": event, "strategy": strategy, "net": net}
    return own | asdict(tally) | asdict(streak)
