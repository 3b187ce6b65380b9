"""What PostgreSQL itself can do: the same SQL, driven by pgbench, which costs next to nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.ratios.measures import Slice
from bench.ratios.servers import Rig
from bench.ratios.stock import DAY_MS, FIRST_SEQ, HOUR_MS, STAKE, STEP_MS, TICKS_EACH, Stock, id_sql
from config import layout, programs
from kernel.clock import DB_NOW_MS_SQL
from trading import statements

# The first second of a run is left out: connections are made, statements planned and caches filled in it.
WARM_S = 1
_PROGRESS = re.compile(r"^progress: ([0-9.]+) s, ([0-9.]+) tps", re.MULTILINE)
_VARIABLE = re.compile(r"%\((\w+)\)s")

_ORDER = (
    '{"id": "019a0000-0000-7000-8000-000000000000", "client_order_id": "bench-00000000", "ledger": "demo", '
    '"wallet_id": "019a0000-0000-7000-8000-000000000000", "symbol": "P00", "direction": "up", "stake": "1.00", '
    '"payout_percent": 85, "entry_rule": "last_tick/1", "settlement_rule": "last_tick/1", "state": "open", '
    '"accepted_at": "2026-01-01T00:00:00.000Z", "entered_at": "2026-01-01T00:00:00.000Z", "open_price": "1.00000", '
    '"open_tick": {"seq": 1000001, "at": "2026-01-01T00:00:00.000Z", "price": "1.00000"}, '
    '"expires_at": "2026-01-01T00:00:00.000Z", "close_price": null, "close_tick": null, "settled_at": null, '
    '"payout": null, "profit": null, "reason": null, "source": "api", "balance_after": "10000000000.00"}'
)
_BALANCE = (
    '{"wallet_id": "019a0000-0000-7000-8000-000000000000", "ledger": "demo", "balance": "10000000000.00", '
    '"open_stakes": "100.00", "cause": "order.opened"}'
)


class NoPgbenchError(RuntimeError):
    """Neither the wheel nor the machine has pgbench."""


@dataclass(frozen=True)
class Pgbench:
    """The program, and where its database is."""

    rig: Rig
    stock: Stock

    @cached_property
    def program(self) -> Path:
        """Return pgbench of the PostgreSQL that is measured, or else the machine's own.

        :raises NoPgbenchError: there is none
        """
        place = layout.find(self.rig.data_dir)
        identity = layout.identity_for(place)
        folder = programs.postgres_bin(identity, private=layout.private_folder(self.rig.data_dir, identity))
        found = folder / "pgbench"
        if found.exists():
            return found
        elsewhere = shutil.which("pgbench")
        if elsewhere is None:
            raise NoPgbenchError("pgbench is missing: install PostgreSQL's client programs")
        return Path(elsewhere)

    def placements(self, clients: int, *, seconds: int) -> Slice:
        """Place orders by the platform's own three statements, in a transaction, prepared."""
        script = self.rig.data_dir / "placement.sql"
        script.write_text(placement_script(self.stock))
        place = self.rig.libpq_place()
        command = [
            *(str(self.program), "--no-vacuum", "--protocol=prepared", f"--file={script}"),
            *(f"--client={clients}", f"--jobs={min(clients, 2)}", f"--time={seconds + WARM_S}", "--progress=1"),
            *(f"--define=base={_base()}", "--define=n=0", f"--host={place['host']}", f"--port={place['port']}"),
            *(f"--username={place['user']}", place["dbname"]),
        ]
        before = self.rig.postgres_cpu_s()
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        used = self.rig.postgres_cpu_s() - before
        told = [float(tps) for _, tps in _PROGRESS.findall(done.stderr)]
        # The line of the last second may be missing on a busy machine.
        seen = told[WARM_S:] or told
        if done.returncode or not seen:
            raise RuntimeError(f"pgbench has failed: {done.stderr[-2000:]}")
        rate = sum(seen) / len(seen)
        # The processor's seconds are those of the whole run, so they are scaled to the part that counts.
        share = len(seen) / (len(seen) + WARM_S)
        return Slice(rate * len(seen), len(seen), {"postgres": used * share})


_runs = iter(range(1, 1_000_000))


def _base() -> int:
    """Return where this run's numbers begin: no two orders have one number."""
    return next(_runs) * 1_000_000_000


def placement_script(stock: Stock) -> str:
    """Return the statements of placement as a script of pgbench; what Python would send is a variable or a literal."""
    values = _values(stock)

    def bound(sql: str) -> str:
        filled = _VARIABLE.sub(lambda found: values[found[1]], sql).replace("%%", "%")
        return " ".join(filled.split()) + ";"

    # By its wallet the ticket names none, only a ledger.
    lock = statements.WALLET_LOCK.replace("%(wallet_id)s", "NULL::uuid")
    return "\n".join(
        [
            f"\\set u random(1, {stock.users})",
            "\\set n :n + 1",
            "BEGIN;",
            bound(lock),
            bound(statements.FACTS),
            bound(statements.PLACE),
            "COMMIT;",
            "",
        ]
    )


def _values(stock: Stock) -> dict[str, str]:
    """Return the SQL of each parameter of placement."""
    number = "(:base::bigint + :client_id::bigint * 10000000 + :n::bigint)"
    symbol_id = next(iter(stock.still.values()))
    newest = FIRST_SEQ + TICKS_EACH - 1
    values = {
        "user_id": id_sql("user", ":u"),
        "wallet_id": id_sql("wallet", ":u"),
        "stakes_id": id_sql("stakes", ":u"),
        "event_user_id": id_sql("user", ":u"),
        "book": "'demo'",
        "symbol": "'P00'",
        "symbol_id": str(symbol_id),
        "client_order_id": f"'bench-' || {number}",
        "custom_on_real": "false",
        "order_id": f"('019a0000-0000-7000-8000-' || lpad(to_hex({number}::bigint), 12, '0'))::uuid",
        "transfer_id": f"('019a0000-0000-7000-8001-' || lpad(to_hex({number}::bigint), 12, '0'))::uuid",
        "stake": f"{STAKE}::bigint",
        "currency": "'USD'",
        "source": "'api'",
        "token_id": "NULL::uuid",
        "asked": "'P00 up 1. for 3600 s (None, None, None)'",
        "direction": "'up'",
        "payout_percent": "85",
        "entry_rule": "'last_tick/1'",
        "settlement_rule": "'last_tick/1'",
        "max_tick_age_ms": str(HOUR_MS),
        "revision": "1",
        "price_scale": "5",
        "custom": "true",
        "handled_us": "1000",
        "at_ms": DB_NOW_MS_SQL,
        "expires_at_ms": f"{stock.filled_ms + DAY_MS}::bigint",
        "entered_at_ms": DB_NOW_MS_SQL,
        "open_seq": f"{newest}::bigint",
        "open_at_ms": f"{stock.first_ms + (TICKS_EACH - 1) * STEP_MS}::bigint",
        "open_price": f"{100_000 + newest * 7919 % 200}::bigint",
        "event_count": "2",
        "event_books": "'{demo,demo}'",
        "event_types": "'{order.opened,balance.changed}'",
        "event_versions": "'{1,1}'",
        "event_payloads": f"'[{_ORDER}, {_BALANCE}]'",
        "event_at_ms": f"ARRAY[{DB_NOW_MS_SQL}, {DB_NOW_MS_SQL}]",
    }
    nothing = {"session_closes_ms": "bigint", "expected_price": "text", "max_price_drift": "text"}
    nothing |= dict.fromkeys(("entry_after_seq", "entry_after_ms", "entry_until_ms"), "bigint")
    return values | {name: f"NULL::{kind}" for name, kind in nothing.items()}
