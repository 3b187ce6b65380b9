"""Recorded packets through the product's own decoders and its own admission: the logs that the studies work on."""

from __future__ import annotations

import gzip
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median_low

from msgspec import structs

from quotes.adapters.binance import BinanceDialect
from quotes.adapters.kraken import KrakenDialect
from quotes.adapters.upstream import PacketError
from quotes.domain import ADMISSION, AdmissionSettings, AdmittedTick, Head, RawTick, RecentTicks, admit

ROOT = Path(__file__).resolve().parents[2]
UNFILTERED = AdmissionSettings(outlier_percent=10**6)
_PACKET = re.compile(r"(\d+)(?:\.(\d+))?: (.*)\Z", re.DOTALL)
_KNOWN = 64


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of recorded packets.

    :param market: what was recorded, in words
    """

    path: Path
    market: str
    exchange: str
    day: str

    @property
    def name(self) -> str:
        """The file's name in the repository."""
        return str(self.path.relative_to(ROOT))


RECORDINGS = (
    Recording(ROOT / "tests/data/binance-futures-2021-07-22.ws.txt", "Binance USD-M futures", "binance", "2021-07-22"),
    Recording(
        ROOT / "bench/studies/recordings/binance-delivery-2021-07-22.ws.txt.gz",
        "Binance COIN-M futures",
        "binance",
        "2021-07-22",
    ),
    Recording(ROOT / "tests/data/kraken-trade-2021-04-17.ws.txt", "Kraken spot", "kraken", "2021-04-17"),
)


@dataclass
class Log:
    """One symbol's admitted ticks, and where its log stood at each arrival.

    :param ended_ms: the receive time of the recording's last packet
    :param beats_ms: receive times of all packets of the connection, which prove it alive
    """

    recording: Recording
    symbol: str
    price_source: str
    scale: int
    raws: list[RawTick]
    beats_ms: Sequence[int]
    ticks: list[AdmittedTick] = field(default_factory=list)
    arrivals_ms: list[int] = field(default_factory=list)
    # Behind each raw tick: the head, so that a study can go on from any of them.
    heads: list[Head] = field(default_factory=list)
    refused: int = 0

    @property
    def began_ms(self) -> int:
        """When its first tick arrived."""
        return self.arrivals_ms[0] if self.arrivals_ms else self.ended_ms

    @cached_property
    def offset_ms(self) -> int:
        """How much later than the source's time its ticks arrive, in the middle."""
        return median_low(raw.recv_ms - raw.src_ms for raw in self.raws)

    @property
    def ended_ms(self) -> int:
        """When the recording ends."""
        return self.beats_ms[-1]

    def newest(self, at_ms: int) -> AdmittedTick | None:
        """Return the newest tick that had arrived at an instant."""
        place = bisect_right(self.arrivals_ms, at_ms)
        return self.ticks[place - 1] if place else None

    def evidence(self, expires_at_ms: int) -> AdmittedTick | None:
        """Return the last tick with a time at or before an instant."""
        place = bisect_right(self.ticks, expires_at_ms, key=lambda tick: tick.at_ms)
        return self.ticks[place - 1] if place else None

    def alive_ms(self, at_ms: int) -> int | None:
        """Return the last sign of life before an instant."""
        place = bisect_right(self.beats_ms, at_ms)
        return self.beats_ms[place - 1] if place else None


def logs_of(recording: Recording) -> list[Log]:
    """Return the log of each symbol and price source of a recording."""
    raws: defaultdict[tuple[str, str], list[RawTick]] = defaultdict(list)
    beats_ms: list[int] = []
    for recv_ms, ticks in _packets(recording):
        beats_ms.append(recv_ms)
        for tick in ticks:
            raws[tick.source, "mid" if tick.last is None else "last"].append(tick)
    logs = []
    for (symbol, price_source), found in sorted(raws.items()):
        places = max(_places(tick) for tick in found)
        # A digit more than the exchange quotes, so that the middle of two prices is exact.
        scale = places + 1 if price_source == "mid" else places
        log = Log(recording, symbol, price_source, scale, found, beats_ms)
        admit_all(log)
        logs.append(log)
    return logs


def _packets(recording: Recording) -> Iterator[tuple[int, tuple[RawTick, ...]]]:
    dialect = KrakenDialect("", receive_time=False) if recording.exchange == "kraken" else BinanceDialect("")
    for number, line in enumerate(_lines(recording.path)):
        found = _PACKET.match(line)
        if found is None:
            # Connects and subscriptions are no packets.
            continue
        recv_ms = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0")[:3])
        try:
            packet = dialect.read(found[3].encode(), packet=number, recv_ms=recv_ms)
        except PacketError:
            continue
        yield recv_ms, packet.ticks


def _lines(path: Path) -> list[str]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return file.read().splitlines()
    return path.read_text(encoding="utf-8").splitlines()


def _places(tick: RawTick) -> int:
    return max(-int(number.as_tuple().exponent) for number in (tick.bid, tick.ask, tick.last) if number is not None)


def admit_all(log: Log, settings: AdmissionSettings = ADMISSION) -> None:
    """Fill a log from its raw ticks, one after the other."""
    recent, head = RecentTicks(), Head()
    for raw in log.raws:
        result = admit(
            head=head,
            ticks=[raw],
            recent=recent,
            price_source=log.price_source,
            scale=log.scale,
            settings=settings,
        )
        head = result.head
        log.heads.append(head)
        log.refused += len(result.refused)
        log.ticks += result.admitted
        log.arrivals_ms += [tick.recv_ms for tick in result.admitted]


def with_tick(log: Log, wrong: RawTick, settings: AdmissionSettings) -> list[AdmittedTick]:
    """Return the admitted ticks of a log as they would be with one more tick received; numbers are not made anew.

    Admission goes on from the head that the tick meets, until the log stands again as it does without the tick.
    """
    place = bisect_right(log.raws, wrong.recv_ms, key=lambda raw: raw.recv_ms)
    head = log.heads[place - 1] if place else Head()
    admitted, recent = log.ticks[: head.seq], RecentTicks()
    for known in admitted[-_KNOWN:]:
        recent.remember_key(known.at_ms, known.bid, known.ask, known.price)
    for number, raw in enumerate([wrong, *log.raws[place:]], place - 1):
        result = admit(
            head=head,
            ticks=[raw],
            recent=recent,
            price_source=log.price_source,
            scale=log.scale,
            settings=settings,
        )
        head = result.head
        admitted += result.admitted
        if number >= place and structs.replace(head, seq=log.heads[number].seq) == log.heads[number]:
            return admitted + log.ticks[log.heads[number].seq :]
    return admitted


__all__ = ["ADMISSION", "RECORDINGS", "UNFILTERED", "Log", "Recording", "logs_of", "with_tick"]
