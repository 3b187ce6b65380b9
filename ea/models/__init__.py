"""The bridge's tables."""

from __future__ import annotations

from ea.models.owners import Instruction, Pairing, ParamsAck, Presence
from ea.models.risk import OrderBucket, ResultTally, RiskLimits, RiskStop, TradingSwitch
from ea.models.signals import (
    DUE,
    Alert,
    Counter,
    EaOrder,
    Event,
    Hook,
    Key,
    Latency,
    Link,
    Repeat,
    SymbolAlias,
    Transition,
    UnknownSymbol,
    Version,
)

__all__ = [
    "DUE",
    "Alert",
    "Counter",
    "EaOrder",
    "Event",
    "Hook",
    "Instruction",
    "Key",
    "Latency",
    "Link",
    "OrderBucket",
    "Pairing",
    "ParamsAck",
    "Presence",
    "Repeat",
    "ResultTally",
    "RiskLimits",
    "RiskStop",
    "SymbolAlias",
    "TradingSwitch",
    "Transition",
    "UnknownSymbol",
    "Version",
]
