"""The receive clock (rules, section 1): monotonic, anchored to the database, halted by a step above 250 ms."""

from __future__ import annotations

import pytest

from quotes.receive_clock import ReceiveClock


class Machine:
    """A monotonic clock and a database clock that a test moves."""

    def __init__(self) -> None:
        self.monotonic_s = 1_000.0
        self.database_ms = 1_800_000_000_000.0
        self.clock = ReceiveClock(lambda: self.monotonic_s)

    def pass_ms(self, duration_ms: float) -> None:
        self.monotonic_s += duration_ms / 1000
        self.database_ms += duration_ms

    def observe(self, *, takes_ms: float = 2.0, reads_after: float = 0.5) -> bool:
        def read() -> int:
            self.pass_ms(takes_ms * reads_after)
            found = int(self.database_ms)
            self.pass_ms(takes_ms * (1 - reads_after))
            return found

        return self.clock.observe(read)


def test_it_tells_the_databases_time() -> None:
    """Rules 1: receive time is the parser's monotonic clock anchored to the database clock."""
    machine = Machine()
    machine.observe()

    machine.pass_ms(12_345)

    assert abs(machine.clock.now_ms() - machine.database_ms) <= 2


def test_it_has_no_time_before_its_first_anchor() -> None:
    """A stamp without an anchor would be an invention."""
    with pytest.raises(RuntimeError):
        ReceiveClock().now_ms()


def test_drift_is_followed() -> None:
    """Rules 1: anchored every second."""
    machine = Machine()
    machine.observe()
    for _ in range(100):
        machine.pass_ms(1_000)
        machine.database_ms += 5
        assert machine.observe()

    assert abs(machine.clock.now_ms() - machine.database_ms) <= 4


@pytest.mark.parametrize("step_ms", [260, -260, 3_600_000])
def test_a_step_halts_admission_until_it_is_confirmed(step_ms: int) -> None:
    """Rules 1: a step or an offset above 250 ms halts admission until re-anchored."""
    machine = Machine()
    machine.observe()
    machine.database_ms += step_ms

    stepped = machine.observe()
    halted = machine.clock.trusted
    machine.pass_ms(1_000)
    confirmed = machine.observe()

    assert (stepped, halted) == (False, False)
    assert confirmed
    assert machine.clock.trusted
    assert abs(machine.clock.now_ms() - machine.database_ms) <= 2


def test_a_slow_answer_is_no_step() -> None:
    """A busy database says nothing about its clock; the stamp stays within what the answer proves."""
    machine = Machine()
    machine.observe()

    assert machine.observe(takes_ms=4_000, reads_after=0.99)
    assert abs(machine.clock.now_ms() - machine.database_ms) <= 2


def test_it_never_runs_backwards_between_steps() -> None:
    """With ``FEED_<NAME>_TIME=receive`` a stamp that went back would be refused as out of order."""
    machine = Machine()
    machine.observe(takes_ms=100, reads_after=0.0)
    before = machine.clock.now_ms()
    machine.observe(takes_ms=0.1)

    assert machine.clock.now_ms() >= before
