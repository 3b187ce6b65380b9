"""Pure rules of the bridge, and the database's copy of one of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ea.domain import WAYS, Life, State, TradingState, deadline_ms, percent_of, strictest
from ea.gateway.bucket import Bucket
from ea.gateway.numbers import Numbers, Verdict
from ea.gateway.offset import Offset
from kernel import db

TAKEN, EARLY, FIRST, BEHIND = Verdict.TAKEN, Verdict.EARLY, Verdict.EARLY_FIRST, Verdict.BEHIND_REFUSED


@pytest.mark.django_db
def test_the_database_knows_the_same_ways() -> None:
    """ea 6.2: only listed transitions, in Python and in SQL alike."""
    pairs = [(before, after) for before in State for after in State]
    found = db.rows(
        "SELECT ea_way(before, after) FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS pair(before, after, no)"
        " ORDER BY no",
        [[before.value for before, _ in pairs], [after.value for _, after in pairs]],
    )
    assert [row[0] for row in found] == [after in WAYS[before] for before, after in pairs]


def test_final_states_are_those_without_a_way_out() -> None:
    final = {state.value for state in State if state.is_final}
    assert final == {"settled", "denied", "expired", "rejected", "cancelled"}


@pytest.mark.parametrize(
    ("life", "deadline"),
    [
        (Life(1_000, 0, 1_200, 60_000, None), 6_000),
        (Life(1_000, 0, 1_200, 20_000, None), 3_000),
        (Life(1_000, 0, 1_200, 86_400_000, None), 6_000),
        (Life(1_000, 0, 1_200, 60_000, 200), 1_200),
        (Life(1_000, 500, 1_600, 60_000, 1_000), 2_500),
        (Life(1_000, -500, 1_600, 60_000, 1_000), 1_500),
        (Life(9_000, 0, 1_200, 60_000, 1_000), 2_200),
        (Life(1_000, 0, 1_200, 0, None), 1_000),
    ],
)
def test_deadlines(life: Life, deadline: int) -> None:
    """ea 5, valid_ms: a tenth of the option, 5 s at most; never later than from its reception on."""
    assert deadline_ms(life) == deadline


@given(st.integers(0, 10**15), st.decimals("0", "999.999", places=3))
def test_a_share_is_floored(balance: int, percent: object) -> None:
    share = percent_of(balance, str(percent))
    exact = balance * int(str(percent).replace(".", ""))
    assert share * 100_000 <= exact < (share + 1) * 100_000


def test_the_strictest_state_holds() -> None:
    active, reducing, halted = TradingState
    assert strictest([]) is active
    assert strictest([reducing, active]) is reducing
    assert strictest([active, halted, reducing]) is halted


class TestNumbers:
    """ea 5: gap-free numbers; what is missing is asked for once, and a hole is let be when there is nothing older."""

    def test_one_after_the_other(self) -> None:
        numbers = Numbers(4)
        assert [numbers.take(seq) for seq in (5, 6, 7)] == [(TAKEN, range(seq, seq)) for seq in (5, 6, 7)]
        assert numbers.next == 8

    def test_an_old_one_is_taken_and_changes_nothing(self) -> None:
        numbers = Numbers(4)
        assert numbers.take(2)[0] is TAKEN
        assert numbers.next == 5

    def test_what_is_missing_is_asked_for_once_and_comes(self) -> None:
        numbers = Numbers(4)
        assert [numbers.take(seq)[0] for seq in (7, 8, 9)] == [FIRST, EARLY, EARLY]
        assert [numbers.take(seq)[0] for seq in (5, 6, 7, 8, 9, 10)] == [TAKEN] * 6
        assert numbers.take(12)[0] is FIRST

    def test_what_comes_again_without_the_missing_ones_says_that_there_are_none(self) -> None:
        numbers = Numbers(4)
        assert [numbers.take(seq)[0] for seq in (7, 8)] == [FIRST, EARLY]
        verdict, hole = numbers.take(7)
        assert (verdict, list(hole)) == (TAKEN, [5, 6])
        assert numbers.take(8)[0] is TAKEN

    def test_behind_one_that_was_refused_for_a_while(self) -> None:
        """What was sent meanwhile is refused for the same reason, so that it comes again behind it."""
        numbers = Numbers(0)
        assert numbers.take(1)[0] is TAKEN
        numbers.hold_back(2)
        assert [numbers.take(seq)[0] for seq in (3, 4)] == [BEHIND, BEHIND]
        assert [numbers.take(seq)[0] for seq in (2, 3, 4)] == [TAKEN] * 3

    def test_given_back(self) -> None:
        numbers = Numbers(0)
        assert [numbers.take(seq)[0] for seq in (1, 2, 3)] == [TAKEN] * 3
        for seq in (2, 3):
            numbers.hold_back(seq)
        assert numbers.next == 2
        assert numbers.take(3)[0] is BEHIND
        assert numbers.take(2)[0] is TAKEN

    def test_one_that_was_refused_for_good_leaves_no_gap(self) -> None:
        numbers = Numbers(0)
        numbers.drop(1)
        assert numbers.take(2) == (TAKEN, range(2, 2))
        numbers.drop(7)
        assert numbers.next == 3

    @given(st.lists(st.integers(1, 30), max_size=60))
    def test_nothing_is_taken_in_front_of_what_may_still_come(self, seqs: list[int]) -> None:
        """Whatever comes: a number is taken early only with the hole in front of it, and ``next`` never falls."""
        numbers, at = Numbers(0), 1
        for seq in seqs:
            verdict, hole = numbers.take(seq)
            if verdict is TAKEN and seq >= at:
                assert list(hole) == list(range(at, seq))
            assert numbers.next >= at
            at = numbers.next


def test_a_bucket_lets_a_burst_through_and_then_so_many_in_a_second() -> None:
    bucket = Bucket(per_s=10, burst=3, now_s=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [0, 0, 0, 100]
    assert 10 <= bucket.take(0.09) <= 11
    assert bucket.take(0.11) == 0
    assert 89 <= bucket.take(0.11) <= 91
    assert [bucket.take(9.0) for _ in range(4)] == [0, 0, 0, 100]


class TestOffsets:
    """ea 6.6: the offset of a client's clock as NTP reckons it, from the heartbeat that took the shortest way."""

    def test_none_was_heard(self) -> None:
        assert (Offset().ms, Offset().rtt_us) == (0, 0)

    def test_half_the_way_is_taken_off(self) -> None:
        offset = Offset()
        offset.heard(recv_us=10_000_000, client_ms=4_000, rtt_us=200_000)
        assert (offset.ms, offset.rtt_us) == (5_900, 200_000)

    def test_the_shortest_way_is_believed(self) -> None:
        offset = Offset()
        beats = (10_000_000, 9_000, None), (20_000_000, 19_900, 50_000), (30_900_000, 29_950, 900_000)
        for recv_us, client_ms, rtt_us in beats:
            offset.heard(recv_us=recv_us, client_ms=client_ms, rtt_us=rtt_us)
        assert (offset.ms, offset.rtt_us) == (75, 50_000)

    def test_a_clock_that_was_set_is_believed_after_a_while(self) -> None:
        offset = Offset()
        offset.heard(recv_us=10_000_000, client_ms=10_000, rtt_us=10)
        for _ in range(8):
            offset.heard(recv_us=20_000_000, client_ms=15_000, rtt_us=1_000)
        assert offset.ms == 4_999

    @pytest.mark.parametrize(("set_ms", "beats"), [(30_000, 1), (-30_000, 2), (3_600_000, 1), (-3_600_000, 2)])
    def test_a_clock_that_was_set_is_another_clock(self, set_ms: int, beats: int) -> None:
        """ea 6.6: what was measured before a clock was set said nothing of it any more, and decided for 40 s."""
        offset = Offset()
        for second in range(8):
            offset.heard(recv_us=second * 1_000_000 + 1_000, client_ms=second * 1_000, rtt_us=2_000)
        for second in range(8, 8 + beats):
            assert offset.ms == 0
            offset.heard(recv_us=second * 1_000_000 + 4_000, client_ms=second * 1_000 + set_ms, rtt_us=8_000)
        assert offset.ms == -set_ms

    def test_a_heartbeat_that_was_held_up_sets_no_clock(self) -> None:
        """F-20: signals that waited in a line with it must not seem fresh."""
        offset = Offset()
        offset.heard(recv_us=10_001_000, client_ms=10_000, rtt_us=2_000)
        for client_ms in (15_000, 20_000):
            offset.heard(recv_us=30_001_000, client_ms=client_ms, rtt_us=2_000)
        assert offset.ms == 0
