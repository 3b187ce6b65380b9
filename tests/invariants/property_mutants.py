"""Faults of the pure rules that no stored row shows: properties have to see them (I-14, I-15, I-20)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest import mock

from hypothesis import Phase, settings
from msgspec.structs import replace

from quotes import domain as quotes_domain
from quotes.domain import RawTick
from settlement import domain
from settlement.domain import Outcome, Terms, Tick
from tests.quotes import test_admission_properties as of_admission
from tests.settlement import test_outcome as of_outcomes
from trading.domain import Direction, OrderState

_decided = domain._decided
_admit = quotes_domain.admit


@dataclass(frozen=True)
class PropertyMutant:
    """A faulty rule, and the property that refutes it.

    :param invariant: number of the invariant
    :param patch: module, attribute, and what stands there in the broken build
    """

    invariant: str
    words: str
    prop: Callable[[], None]
    patch: tuple[object, str, Any]

    @property
    def where(self) -> str:
        """Return where the property is."""
        return f"{self.prop.__module__.replace('.', '/')}.py::{self.prop.__name__}"


def refuted(mutant: PropertyMutant) -> bool:
    """Whether the property fails with the faulty rule: the first example that does is enough."""
    # The same examples each time, so that a fault that is found once is found always.
    quick = settings(
        derandomize=True,
        max_examples=2_000,
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        report_multiple_bugs=False,
    )
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(*mutant.patch))
        stack.enter_context(mock.patch.object(mutant.prop, "_hypothesis_internal_use_settings", quick, create=True))
        try:
            mutant.prop()
        except AssertionError:
            return True
    return False


def _mean_by_arrival(prices: Sequence[int]) -> int:
    dropped = 3 * len(prices) // 10
    kept = prices[dropped : len(prices) - dropped]
    return sum(kept) // len(kept)


def _last_read(log: list[Tick], expires_at_ms: int = of_outcomes.EXPIRES_MS) -> Any:
    """Take the tick that was read last for the newest one."""
    evidence = _EVIDENCE_OF(log, expires_at_ms)
    return replace(evidence, tick=log[-1] if log else None)


_EVIDENCE_OF = of_outcomes.evidence_of


def _tie_lost(terms: Terms, tick: Tick, close_price: int) -> Outcome:
    decided = _decided(terms, tick, close_price)
    tied_up = decided.state is OrderState.TIED and terms.direction is Direction.UP
    return replace(decided, state=OrderState.LOST, payout=0) if tied_up else decided


def _mean_too_high(prices: Sequence[int]) -> int:
    return _MEAN(prices) + 1


_MEAN = domain.trimmed_mean


def _up_only(price: int, level: int, settings: Any) -> bool:
    """Take every price below for near."""
    return bool((price - level) * 100 <= settings.outlier_percent * level)


def _look_ahead(*, ticks: Iterable[RawTick], **others: Any) -> Any:
    """Leave out a tick that the one after it does not confirm."""
    known = list(ticks)
    kept = [
        tick
        for tick, following in zip(known, [*known[1:], None], strict=False)
        if following is None
        or tick.bid is None
        or following.bid is None
        or abs(following.bid - tick.bid) * 100 <= 5 * tick.bid
    ]
    return _admit(ticks=kept, **others)


PROPERTY_MUTANTS = (
    PropertyMutant(
        "I-14",
        "the mean leaves out the first and last prices to arrive, not the highest and lowest",
        of_outcomes.test_the_trimmed_mean_is_the_nearest_step_to_the_exact_one,
        (of_outcomes, "trimmed_mean", _mean_by_arrival),
    ),
    PropertyMutant(
        "I-14",
        "ticks are ordered by the time of reading",
        of_outcomes.test_arrival_duplicates_and_later_ticks_change_nothing,
        (of_outcomes, "evidence_of", _last_read),
    ),
    PropertyMutant(
        "I-15",
        "a tie is lost by those who went up",
        of_outcomes.test_up_and_down_mirror_each_other,
        (domain, "_decided", _tie_lost),
    ),
    PropertyMutant(
        "I-15",
        "a mean is taken one step too high",
        of_outcomes.test_the_mirrored_price_series_mirrors_the_outcome,
        (domain, "trimmed_mean", _mean_too_high),
    ),
    PropertyMutant(
        "I-20",
        "only jumps upwards are held back",
        of_admission.test_mirrored_prices_get_mirrored_decisions,
        (quotes_domain, "_near", _up_only),
    ),
    PropertyMutant(
        "I-20",
        "a tick is judged by the one after it",
        of_admission.test_what_comes_later_changes_no_decision,
        (of_admission, "admit", _look_ahead),
    ),
)
