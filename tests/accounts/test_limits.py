"""Own limits, breaks and exclusions: how they change (rules 12)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import selectors, services
from accounts.limits import (
    CONFIRM_WITHIN_MS,
    DAY_MS,
    LIMITS,
    LOOSEN_WAIT_MS,
    Act,
    LimitState,
    Loosening,
    exclusion_end_ms,
    limit_decided,
)
from accounts.models import Limit, LimitChange, User
from kernel.clock import parse_rfc3339, rfc3339, wall_ms
from kernel.errors import Problem
from tests.accounts.people import person

NOW_MS = 1_790_000_000_000
ASKED = LimitState(100, Loosening(500, NOW_MS))
FREED = LimitState(100, Loosening(None, NOW_MS))
LAPSE_MS = NOW_MS + CONFIRM_WITHIN_MS


def _waiting(value: int | None, now_ms: int) -> LimitState:
    return LimitState(100, Loosening(value, now_ms + LOOSEN_WAIT_MS))


@pytest.mark.parametrize(
    ("state", "wanted", "now_ms", "after", "act"),
    [
        (LimitState(), 100, NOW_MS, LimitState(100), Act.SET),
        (LimitState(), None, NOW_MS, LimitState(), Act.HOLDS),
        (LimitState(100), 100, NOW_MS, LimitState(100), Act.HOLDS),
        (LimitState(100), 99, NOW_MS, LimitState(99), Act.TIGHTENED),
        (LimitState(100), 500, NOW_MS, _waiting(500, NOW_MS), Act.ASKED),
        (LimitState(100), None, NOW_MS, _waiting(None, NOW_MS), Act.ASKED),
        (ASKED, 500, NOW_MS - 1, ASKED, Act.WAITS),
        (ASKED, 500, NOW_MS, LimitState(500), Act.LOOSENED),
        (ASKED, 500, LAPSE_MS - 1, LimitState(500), Act.LOOSENED),
        (ASKED, 500, LAPSE_MS, _waiting(500, LAPSE_MS), Act.ASKED),
        (FREED, None, NOW_MS - 1, FREED, Act.WAITS),
        (FREED, None, NOW_MS, LimitState(), Act.REMOVED),
        (FREED, None, LAPSE_MS, _waiting(None, LAPSE_MS), Act.ASKED),
        (ASKED, 99, NOW_MS, LimitState(99), Act.TIGHTENED),
        (ASKED, 100, NOW_MS, LimitState(100), Act.CANCELLED),
        (ASKED, 100, LAPSE_MS, LimitState(100), Act.HOLDS),
        (ASKED, 300, NOW_MS, _waiting(300, NOW_MS), Act.ASKED),
        (ASKED, 501, NOW_MS, _waiting(501, NOW_MS), Act.ASKED),
        (ASKED, None, NOW_MS, _waiting(None, NOW_MS), Act.ASKED),
        (FREED, 500, NOW_MS, _waiting(500, NOW_MS), Act.ASKED),
    ],
)
def test_tightening_is_immediate_and_loosening_waits_and_is_confirmed(
    state: LimitState, wanted: int | None, now_ms: int, after: LimitState, act: Act
) -> None:
    """Rules 12: a tighter value at once; a looser one 24 hours later by asking again, within 7 days."""
    assert limit_decided(state, wanted=wanted, now_ms=now_ms) == (after, act)


@pytest.mark.parametrize(
    ("begun", "months", "ended"),
    [
        ("2026-01-15T10:30:00.125Z", 6, "2026-07-15T10:30:00.125Z"),
        ("2026-08-31T00:00:00.000Z", 6, "2027-02-28T00:00:00.000Z"),
        ("2027-08-31T23:59:59.999Z", 6, "2028-02-29T23:59:59.999Z"),
        ("2026-12-01T00:00:00.000Z", 60, "2031-12-01T00:00:00.000Z"),
    ],
)
def test_an_exclusion_ends_on_the_same_day_of_a_later_month(begun: str, months: int, ended: str) -> None:
    """Rules 12: 6 months to 5 years, by the calendar in UTC."""
    assert rfc3339(exclusion_end_ms(months=months, now_ms=parse_rfc3339(begun))) == ended


def _set(user: User, now_ms: int = NOW_MS, **wanted: int | None) -> list[Act]:
    return [one.act for one in services.limits_set(user_id=user.pk, wanted=wanted, now_ms=now_ms)]


def _value(user: User, name: str, now_ms: int) -> int | None:
    return selectors.limits_of(user.pk, now_ms=now_ms)[name].value


@pytest.mark.django_db
def test_a_loosening_is_stored_for_24_hours_and_lapses_after_7_days() -> None:
    """Rules 12: nothing loosens by itself; a confirmation that comes too late asks anew."""
    user = person()
    assert _set(user, loss_day=10_000) == [Act.SET]
    assert _set(user, loss_day=20_000) == [Act.ASKED]
    assert _set(user, NOW_MS + DAY_MS - 1, loss_day=20_000) == [Act.WAITS]
    assert _value(user, "loss_day", NOW_MS + 2 * DAY_MS) == 10_000
    assert _set(user, NOW_MS + 8 * DAY_MS, loss_day=20_000) == [Act.ASKED]
    assert _set(user, NOW_MS + 9 * DAY_MS, loss_day=20_000) == [Act.LOOSENED]
    assert _value(user, "loss_day", NOW_MS + 9 * DAY_MS) == 20_000


@pytest.mark.django_db
def test_limits_not_named_stay_and_placement_knows_whether_any_is_set() -> None:
    """Rules 12: ``limits_set`` is true while any limit has a value, a loosening that waits included."""
    user = person()
    assert _set(user, stake_day=5_000, session=60) == [Act.SET, Act.SET]
    assert _set(user, session=None) == [Act.ASKED]
    assert _set(user, NOW_MS + DAY_MS, session=None) == [Act.REMOVED]
    user.refresh_from_db()
    assert (user.limits_set, _value(user, "stake_day", NOW_MS)) == (True, 5_000)
    _set(user, stake_day=None)
    user.refresh_from_db()
    assert user.limits_set
    _set(user, NOW_MS + DAY_MS, stake_day=None)
    user.refresh_from_db()
    assert not user.limits_set


@pytest.mark.django_db
def test_every_change_is_in_the_log_and_nothing_else_is() -> None:
    """Rules 12, 14: the log tells each change; a request that changes nothing leaves no line."""
    user = person()
    for wanted in (100, 100, 50, 80, 80, 50, None):
        _set(user, open_orders=wanted)
    logged = LimitChange.objects.filter(user=user).order_by("id")
    assert [(row.act, row.old_value, row.new_value) for row in logged] == [
        ("set", None, 100),
        ("tightened", 100, 50),
        ("loosening_asked", 50, 80),
        ("loosening_cancelled", 50, 50),
        ("loosening_asked", 50, None),
    ]
    assert [row.confirm_from_ms for row in logged] == [None, None, NOW_MS + DAY_MS, None, NOW_MS + DAY_MS]


@pytest.mark.django_db
def test_breaks_and_exclusions_only_become_longer() -> None:
    """Rules 12: at once, and never shorter; what runs is told in the refusal."""
    user = person()
    now_ms = wall_ms()
    assert services.break_begin(user_id=user.pk, days=7, now_ms=now_ms) == now_ms + 7 * DAY_MS
    with pytest.raises(Problem) as shorter:
        services.break_begin(user_id=user.pk, days=1, now_ms=now_ms)
    assert (shorter.value.status, shorter.value.code) == (409, "limit.break_shorter")
    assert rfc3339(now_ms + 7 * DAY_MS) in shorter.value.detail
    services.break_begin(user_id=user.pk, days=8, now_ms=now_ms)

    services.exclusion_begin(user_id=user.pk, months=12, now_ms=now_ms)
    with pytest.raises(Problem) as refused:
        services.exclusion_begin(user_id=user.pk, months=6, now_ms=now_ms)
    assert (refused.value.status, refused.value.code) == (409, "limit.exclusion_shorter")
    user.refresh_from_db()
    assert user.break_until_ms == now_ms + 8 * DAY_MS
    assert user.excluded_until_ms == exclusion_end_ms(months=12, now_ms=now_ms)
    assert list(LimitChange.objects.filter(user=user).values_list("name", flat=True).order_by("id")) == [
        *("break", "break", "exclusion"),
    ]


@pytest.mark.django_db
def test_a_new_break_follows_one_that_is_over() -> None:
    """Rules 12: a break that has passed does not bind the next one's length."""
    user = person()
    services.break_begin(user_id=user.pk, days=42, now_ms=NOW_MS - 50 * DAY_MS)
    assert services.break_begin(user_id=user.pk, days=1, now_ms=NOW_MS) == NOW_MS + DAY_MS


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["break_until_ms", "excluded_until_ms"])
def test_the_database_ends_no_break_early(field: str) -> None:
    """Rules 12: not even a program of ours, or an operator with SQL by mistake, brings an end forward."""
    user = person()
    until_ms = wall_ms() + DAY_MS
    mine = User.objects.filter(pk=user.pk)
    mine.update(**{field: until_ms})
    for shorter in (None, until_ms - 1):
        with pytest.raises(DatabaseError, match="does not end early"), transaction.atomic():
            mine.update(**{field: shorter})
    assert mine.update(**{field: until_ms + 1}) == 1


@pytest.mark.django_db
def test_an_end_that_has_passed_may_be_cleared() -> None:
    """The guard binds while a break runs, and no longer."""
    user = person()
    mine = User.objects.filter(pk=user.pk)
    mine.update(break_until_ms=wall_ms() - 1)
    assert mine.update(break_until_ms=None) == 1


def _row(**fields: Any) -> Limit:
    user = person()
    return Limit(**({"user": user, "name": "loss_day", "value": 100, "set_at_ms": 1} | fields))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"name": "loss_year"},
        {"value": 0},
        {"value": -1},
        {"pending_value": 200},
        {"pending_from_ms": 1},
        {"pending_none": True},
        {"pending_value": 50, "pending_from_ms": 1},
        {"pending_value": 100, "pending_from_ms": 1},
        {"pending_value": 200, "pending_none": True, "pending_from_ms": 1},
        {"value": None, "pending_value": 200, "pending_from_ms": 1},
        {"value": None, "pending_none": True, "pending_from_ms": 1},
    ],
)
def test_database_refuses_limits_that_mean_nothing(fields: dict[str, Any]) -> None:
    """Rules 12: unknown names, limits of nothing, and loosenings that would not loosen have no row."""
    with pytest.raises(DatabaseError), transaction.atomic():
        _row(**fields).save()


@pytest.mark.django_db
def test_one_row_for_a_limit_and_a_log_that_is_kept() -> None:
    """Rules 12, 14: a limit has one value; its history cannot be changed or removed."""
    user = person()
    _set(user, **dict.fromkeys(LIMITS, 5))
    with pytest.raises(DatabaseError), transaction.atomic():
        Limit.objects.create(user=user, name="loss_day", value=1, set_at_ms=1)
    for sql in ("UPDATE accounts_limit_change SET new_value = 9", "DELETE FROM accounts_limit_change"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
