"""The bridge's tables."""

from __future__ import annotations

from ea.models.owners import Instruction, Pairing, ParamsAck, Presence
from ea.models.signals import (
    DUE,
    Alert,
    Counter,
    EaOrder,
    Event,
    Key,
    Latency,
    Link,
    Repeat,
    SymbolAlias,
    TradingSwitch,
    Transition,
    UnknownSymbol,
)

__all__ = [
    "DUE",
    "Alert",
    "Counter",
    "EaOrder",
    "Event",
    "Instruction",
    "Key",
    "Latency",
    "Link",
    "Pairing",
    "ParamsAck",
    "Presence",
    "Repeat",
    "SymbolAlias",
    "TradingSwitch",
    "Transition",
    "UnknownSymbol",
]
