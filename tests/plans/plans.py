"""Plans as PostgreSQL makes them: which indexes they use, what they scan, which partitions they touch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg import sql

from kernel import db

# Of an index or a table that is a partition: the one that it is a part of.
_ROOT = "SELECT relname FROM pg_class WHERE oid = coalesce(pg_partition_root(to_regclass(%s)), to_regclass(%s))"
# What psycopg tells the server of a value; it leaves the others to the server.
_TYPES: dict[type, str] = {bool: "boolean", int: "bigint", UUID: "uuid"}
_PARAMETER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Plan:
    """One plan, as EXPLAIN (FORMAT JSON) tells it."""

    root: dict[str, Any]

    def nodes(self) -> Iterator[dict[str, Any]]:
        """Yield all steps, those of subplans included."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.get("Plans", [])

    @cached_property
    def indexes(self) -> set[str]:
        """Return the indexes that are used; one of a partition by the name of the whole."""
        return {_whole(node["Index Name"]) for node in self.nodes() if "Index Name" in node}

    @cached_property
    def read_whole(self) -> set[str]:
        """Return the tables that are read from end to end, but for empty ones; a partition by the name of the whole."""
        read = {node["Relation Name"] for node in self.nodes() if node["Node Type"] == "Seq Scan"}
        return {
            _whole(name)
            for name in read
            if db.row("SELECT FROM pg_class WHERE oid = %s::regclass AND relpages > 0", [name]) is not None
        }

    def partitions(self, table: str) -> set[str]:
        """Return the partitions of a table that the plan reads."""
        scans = (node for node in self.nodes() if "Scan" in node["Node Type"] and "Relation Name" in node)
        return {node["Relation Name"] for node in scans if _whole(node["Relation Name"]) == table}

    def partitions_reached(self, table: str) -> set[str]:
        """Return those that were read indeed, of a plan that was run."""
        return {
            node["Relation Name"]
            for node in self.nodes()
            if "Relation Name" in node and node.get("Actual Loops") and _whole(node["Relation Name"]) == table
        }

    def drawn(self) -> str:
        """Return the plan in a form to read when a test fails."""
        return "\n" + "\n".join(_lines(self.root, 0))


def _lines(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    told = (node.get(name) for name in ("Relation Name", "Index Name", "Index Cond", "Filter", "Sort Key"))
    run = f" rows {node['Actual Rows']:g} loops {node['Actual Loops']:g}" if "Actual Loops" in node else ""
    yield f"{'  ' * depth}{node['Node Type']} {' | '.join(str(text)[:150] for text in told if text)}{run}"
    for inner in node.get("Plans", []):
        yield from _lines(inner, depth + 1)


def _whole(name: str) -> str:
    found = db.row(_ROOT, [name, name])
    return str(found[0]) if found else name


def plan_of(statement: str, params: Mapping[str, Any], *, run: bool = False, generic: bool = False) -> Plan:
    """Return the plan of a statement.

    :param run: execute it too, which tells what was reached; what it wrote must be undone by the caller
    :param generic: as a prepared statement that knows no values, which PostgreSQL may turn to after a few executions
    """
    options = "ANALYZE, FORMAT JSON" if run else "FORMAT JSON"
    with connection.cursor() as cursor:
        if generic:
            text = _prepared(cursor, statement, params)
            cursor.execute(f"EXPLAIN ({options}) {text}")
            plan = Plan(cursor.fetchone()[0][0]["Plan"])
            cursor.execute("DEALLOCATE hot")
            return plan
        cursor.execute(f"EXPLAIN ({options}) {statement}", params)
        return Plan(cursor.fetchone()[0][0]["Plan"])


def _prepared(cursor: Any, statement: str, params: Mapping[str, Any]) -> str:
    """Prepare a statement as ``hot`` and return the text that executes it."""
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    text = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    types = [_TYPES.get(type(params[name]), "unknown") for name in names]
    cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    declared = f"({', '.join(types)})" if types else ""
    cursor.execute(f"PREPARE hot {declared} AS {text}")
    values = ", ".join(sql.Literal(params[name]).as_string() for name in names)
    return f"EXECUTE hot ({values})" if names else "EXECUTE hot"


LARGE = frozenset(
    {
        "accounts_user",
        "ea_counter",
        "ea_event",
        "ea_key",
        "ea_link",
        "ea_order",
        "ea_order_event",
        "ea_result_tally",
        "ea_risk_stop",
        "ea_trading_switch",
        "ledger_account",
        "ledger_transfer",
        "quotes_candle",
        "quotes_tick",
        "realtime_event",
        "realtime_event_counter",
        "trading_order",
        "trading_order_open",
    }
)


@dataclass(frozen=True)
class Hot:
    """A hot statement, and for each table that it reads the indexes of which one has to serve it."""

    name: str
    statement: str
    indexes: tuple[tuple[str, ...], ...]
    large: frozenset[str] = LARGE
    # Whether its plan is worth anything without the values; a limit of unknown size is taken for a tenth of the table.
    generic: bool = True

    def check(self, plan: Plan) -> None:
        """Hold a plan to what is asked for."""
        for choices in self.indexes:
            assert plan.indexes.intersection(choices), (choices, plan.drawn())
        assert not plan.read_whole & self.large, plan.drawn()


def index_drop(name: str) -> None:
    """Drop an index, or the constraint that owns it; the test's end undoes it."""
    owner = db.row(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE conindid = to_regclass(%s) AND contype IN ('p', 'u')",
        [name],
    )
    db.run(f"ALTER TABLE {owner[0]} DROP CONSTRAINT {name} CASCADE" if owner else f"DROP INDEX {name} CASCADE")
