"""Rate limits: a token bucket for each (group, key), kept in the process that answers.

Headers follow the IETF draft "RateLimit header fields for HTTP". A process refuses on its own knowledge: no store is
asked, so orders go on while Redis is down; with several web processes the limit is the sum of theirs.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from threading import Lock

from django.conf import settings

from kernel.errors import Problem
from kernel.metrics import count

_KEYS_MAX = 50_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


_lock = Lock()
_buckets: dict[tuple[str, str], _Bucket] = {}


def rate_check(group: str, key: str) -> dict[str, str]:
    """Take one request from a caller's bucket and return the headers that tell what is left.

    :param group: a name in ``settings.RATE_LIMITS``
    :param key: the caller: a token, a session or an address
    :raises Problem: ``rate.limited`` when the bucket is empty, with the seconds to wait
    """
    quota, window_s, burst = settings.RATE_LIMITS[group]
    rate_per_s = quota / window_s
    with _lock:
        now_s = time.monotonic()
        bucket = _buckets.get((group, key))
        if bucket is None:
            _make_room()
            bucket = _buckets[group, key] = _Bucket(tokens=burst, at_s=now_s)
        bucket.tokens = min(burst, bucket.tokens + (now_s - bucket.at_s) * rate_per_s)
        bucket.at_s = now_s
        allowed = bucket.tokens >= 1
        if allowed:
            bucket.tokens -= 1
        left = bucket.tokens
    wait_s = max(1, math.ceil((1 - left) / rate_per_s))
    if not allowed:
        count("rate_limited", group=group)
        raise Problem(
            "rate.limited",
            status=429,
            title="Too many requests; slow down.",
            detail=f"At most {quota} requests in {window_s} s, {burst} at once.",
            retry_after_s=wait_s,
        )
    return {
        "RateLimit": f'"{group}";r={int(left)};t={wait_s if left < 1 else 0}',
        "RateLimit-Policy": f'"{group}";q={burst};w={math.ceil(burst / rate_per_s)}',
    }


def rates_reset() -> None:
    """Forget all buckets."""
    with _lock:
        _buckets.clear()


def _make_room() -> None:
    """Drop the buckets that were touched longest ago once there are too many of them."""
    if len(_buckets) < _KEYS_MAX:
        return
    for key in sorted(_buckets, key=lambda found: _buckets[found].at_s)[: _KEYS_MAX // 2]:
        del _buckets[key]
