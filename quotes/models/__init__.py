"""Tables of the market. Ticks are append-only; no screen edits a price."""

from quotes.models.calendars import CalendarChange, Holiday, MarketCalendar, TradingSession, TradingWindow
from quotes.models.changes import HaltChange, Incident, PayoutChange
from quotes.models.gaps import FeedGap, FeedWatch
from quotes.models.log import Candle, FeedDeclaration, FeedStatus, RefusalCount, RefusedSample, Tick, TickArchive
from quotes.models.seals import DayArchive, DayManifest, HeadPublication, Seal
from quotes.models.symbols import PAYOUT_LEAST, PAYOUT_MOST, Symbol, SymbolHead, SymbolRevision

__all__ = [
    "PAYOUT_LEAST",
    "PAYOUT_MOST",
    "CalendarChange",
    "Candle",
    "DayArchive",
    "DayManifest",
    "FeedDeclaration",
    "FeedGap",
    "FeedStatus",
    "FeedWatch",
    "HaltChange",
    "HeadPublication",
    "Holiday",
    "Incident",
    "MarketCalendar",
    "PayoutChange",
    "RefusalCount",
    "RefusedSample",
    "Seal",
    "Symbol",
    "SymbolHead",
    "SymbolRevision",
    "Tick",
    "TickArchive",
    "TradingSession",
    "TradingWindow",
]
