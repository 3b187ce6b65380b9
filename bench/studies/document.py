"""The studies as one document, and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bench.studies.leads import CANDIDATE, LEADS_MS, MAX_TICK_AGE_MS, PAYOUT, break_even_percent, leads_study
from bench.studies.outliers import outliers_study
from bench.studies.recordings import RECORDINGS, Log, Recording, logs_of
from quotes.domain import ENTRY_RULES, SETTLEMENT_RULES

Document = dict[str, Any]

DURATIONS_S = (5, 15, 30, 60)


def studies_document() -> Document:
    """Return what the studies find in the recordings; the same for ever, since nothing in it is drawn."""
    logs = {recording: logs_of(recording) for recording in RECORDINGS}
    return {
        "version": "studies/1",
        "sample": [_sample(recording, found) for recording, found in logs.items()],
        "leads": _leads([log for found in logs.values() for log in found]),
        "outliers": _outliers([log for found in logs.values() for log in found]),
    }


def _sample(recording: Recording, logs: Sequence[Log]) -> Document:
    beats_ms = logs[0].beats_ms
    return {
        "file": recording.name,
        "market": recording.market,
        "recorded_on": recording.day,
        "seconds": f"{(beats_ms[-1] - beats_ms[0]) / 1000:.1f}",
        "packets": len(beats_ms),
        "logs": [
            {
                "symbol": log.symbol,
                "price_source": log.price_source,
                "received": len(log.raws),
                "admitted": len(log.ticks),
                "price_changes": sum(a.price != b.price for a, b in zip(log.ticks, log.ticks[1:], strict=False)),
            }
            for log in logs
        ],
    }


def _groups(logs: Sequence[Log]) -> Iterable[tuple[str, list[Log]]]:
    for market in sorted({log.recording.market for log in logs if log.price_source == "mid"}, reverse=True):
        named = [log for log in logs if log.recording.market == market and log.price_source == "mid"]
        yield f"{market}, middle of bid and ask", named
    yield "trades of all three recordings", [log for log in logs if log.price_source == "last"]


def _leads(logs: Sequence[Log]) -> Document:
    rows = [
        {"prices": name} | row
        for name, found in _groups(logs)
        for row in leads_study(found, durations_s=DURATIONS_S, entry_rules=(*ENTRY_RULES, CANDIDATE))
    ]
    return {
        "leads_ms": list(LEADS_MS),
        "payout_percent": PAYOUT,
        "break_even_percent": break_even_percent(),
        "max_tick_age_ms": MAX_TICK_AGE_MS,
        "settlement_rule": "last_tick/1",
        "durations_s": list(DURATIONS_S),
        "durations_without_bets_s": [one for one in DURATIONS_S if one not in {row["duration_s"] for row in rows}],
        "rows": rows,
    }


def _outliers(logs: Sequence[Log]) -> Document:
    quoted = [log for log in logs if log.price_source == "mid"]
    rows = outliers_study(quoted, durations_s=DURATIONS_S, settlement_rules=SETTLEMENT_RULES)
    rows = [row for row in rows if row["orders"]]
    return {
        "durations_s": list(DURATIONS_S),
        "durations_without_orders_s": [one for one in DURATIONS_S if one not in {row["duration_s"] for row in rows}],
        "max_tick_age_ms": MAX_TICK_AGE_MS,
        "rows": rows,
    }


def page_tables(document: Document) -> str:
    """Return the tables of the page."""
    parts = [_sample_table(document["sample"])]
    for prices in dict.fromkeys(row["prices"] for row in document["leads"]["rows"]):
        rows = [row for row in document["leads"]["rows"] if row["prices"] == prices]
        parts.append(_leads_table(prices, rows, document["leads"]["break_even_percent"]))
    parts.append(_outliers_table(document["outliers"]["rows"]))
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def _sample_table(sample: Sequence[Document]) -> str:
    head = ("recording", "day", "seconds", "symbols", "ticks received", "admitted")
    rows = []
    for one in sample:
        logs = one["logs"]
        received, admitted = (sum(log[name] for log in logs) for name in ("received", "admitted"))
        symbols = len({log["symbol"] for log in logs})
        rows.append((f"{one['market']}", one["recorded_on"], one["seconds"], symbols, received, admitted))
    return f"### Sample\n\n{_table(head, rows)}"


def _leads_table(prices: str, rows: Sequence[Document], break_even: str) -> str:
    head = ("duration", "ahead by", "bets", *dict.fromkeys(row["entry_rule"] for row in rows))
    found: dict[tuple[object, ...], list[str]] = {}
    for row in rows:
        ahead = f"{row['lead_ms']} ms" if row["lead_ms"] else "nobody"
        counts = f"{row['won']} won, {row['lost']} lost, {row['tied']} tied"
        cell = f"**{row['win_percent']} %** ({_interval(row['interval'])}; {counts})"
        found.setdefault((f"{row['duration_s']} s", ahead, row["moment"]), []).append(cell)
    lines = [(*where, *cells) for where, cells in found.items()]
    return f"### Ahead of the log: {prices}\n\nBreak-even is {break_even} %.\n\n{_table(head, lines)}"


def _outliers_table(rows: Iterable[Document]) -> str:
    found: dict[tuple[object, ...], list[str]] = {}
    for row in rows:
        wrong = f"±{row['outlier_percent']} %, filter {'on' if row['filter'] else 'off'}"
        counts = f"{row['changed']} of {row['orders']}, {row['reversed']} reversed"
        cell = f"**{row['changed_percent']} %** ({_interval(row['interval'])}; {counts})"
        found.setdefault((wrong, f"{row['before_expiry_ms']} ms", f"{row['duration_s']} s"), []).append(cell)
    head = ("wrong tick", "before expiry", "duration", *SETTLEMENT_RULES)
    return f"### One wrong tick\n\n{_table(head, [(*where, *cells) for where, cells in found.items()])}"


def _interval(bounds: Sequence[str] | None) -> str:
    return "no interval" if bounds is None else f"{bounds[0]} to {bounds[1]}"
