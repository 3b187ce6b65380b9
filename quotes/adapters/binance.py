"""Binance's market streams, spot and futures: one connection, streams asked for by SUBSCRIBE or in the address."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import batched if False else islice
