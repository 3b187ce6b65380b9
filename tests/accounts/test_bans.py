"""Bans with an end, and their history (rules 12)."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from accounts import services
from accounts.models import Ban, User
from accounts.tasks import bans_lapse
from config.celery import app
from kernel.clock import rfc3339, wall_ms
from tests.accounts.people import person

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000

pytestmark = pytest.mark.django_db


def _banned(*, until_ms: int | None = None, now_ms: int = NOW_MS) -> User:
    user = person()
    services.user_ban(email=user.email, reason="two accounts", now_ms=now_ms, until_ms=until_ms)
    return user


def _is_banned(user: User) -> bool:
    user.refresh_from_db()
    return user.is_banned


def test_a_ban_with_an_end_lapses_then_and_not_before() -> None:
    """Rules 12, bans from and until: lifted at its end; a repeat of the job changes nothing."""
    user, other = _banned(until_ms=NOW_MS + HOUR_MS), _banned()
    assert services.bans_lapse(now_ms=NOW_MS + HOUR_MS - 1) == 0
    assert _is_banned(user)
    assert services.bans_lapse(now_ms=NOW_MS + HOUR_MS) == 1
    assert services.bans_lapse(now_ms=NOW_MS + HOUR_MS) == 0
    assert (_is_banned(user), _is_banned(other)) == (False, True)
    assert (user.ban_reason, user.banned_until_ms) == ("", None)
    ban = Ban.objects.get(user=user)
    assert (ban.from_ms, ban.until_ms, ban.lifted_at_ms) == (NOW_MS, NOW_MS + HOUR_MS, NOW_MS + HOUR_MS)
    assert (ban.by, ban.lifted_by) == (None, None)


def test_a_new_ban_follows_one_that_has_ended_but_is_not_lifted_yet() -> None:
    """Rules 12: a ban in the seconds before the scheduler comes is not taken for the old one, and does not lapse."""
    user = _banned(until_ms=NOW_MS + HOUR_MS)
    again_ms = NOW_MS + HOUR_MS
    assert not services.user_ban(email=user.email, reason="early", now_ms=again_ms - 1)
    assert services.user_ban(email=user.email, reason="new", now_ms=again_ms)
    assert services.bans_lapse(now_ms=again_ms + 1) == 0
    assert _is_banned(user)
    assert [ban.lifted_at_ms for ban in Ban.objects.filter(user=user).order_by("id")] == [again_ms, None]


def test_the_job_is_scheduled_and_lifts() -> None:
    """Rules 12: the scheduler asks for it every 10 seconds, by the name of the task."""
    due = [entry["schedule"] for entry in app.conf.beat_schedule.values() if entry["task"] == bans_lapse.name]
    assert due == [10.0]
    ended, running = _banned(until_ms=wall_ms() - 1), _banned(until_ms=wall_ms() + HOUR_MS, now_ms=wall_ms())
    bans_lapse()
    assert (_is_banned(ended), _is_banned(running)) == (False, True)


def test_the_history_tells_each_ban_and_who_acted() -> None:
    """Rules 12, 14: reason, from, until, by whom, lifted when and by whom; a second ban begins a second line."""
    operator, user = person(staff=True), person()
    services.user_ban(email=user.email, reason=" first ", now_ms=1, by_id=operator.pk)
    assert not services.user_ban(email=user.email, reason="again", now_ms=2)
    services.user_unban(email=user.email, now_ms=3, by_id=operator.pk)
    services.user_ban(email=user.email, reason="second", now_ms=4)
    bans = list(Ban.objects.filter(user=user).order_by("id"))
    assert [(ban.reason, ban.from_ms, ban.lifted_at_ms) for ban in bans] == [("first", 1, 3), ("second", 4, None)]
    assert [(ban.by, ban.lifted_by) for ban in bans] == [(operator, operator), (None, None)]


def test_the_history_is_kept() -> None:
    """Rules 14: a line of the history is closed once and never changed or removed."""
    user = _banned()
    mine = Ban.objects.filter(user=user)
    for forbidden in (lambda: mine.update(reason="other"), mine.delete, lambda: mine.update(until_ms=2)):
        with pytest.raises(DatabaseError, match="history of bans is kept"), transaction.atomic():
            forbidden()
    services.user_unban(email=user.email, now_ms=NOW_MS + 1)
    with pytest.raises(DatabaseError, match="history of bans is kept"), transaction.atomic():
        mine.update(lifted_at_ms=None)


def test_one_ban_is_in_force_and_ends_after_it_begins() -> None:
    """Rules 12: what the rows cannot say."""
    user = _banned()
    with pytest.raises(DatabaseError), transaction.atomic():
        Ban.objects.create(user=user, reason="second at once", from_ms=1)
    for fields in ({"banned_until_ms": NOW_MS}, {"banned_at_ms": None, "ban_reason": "", "banned_until_ms": 1}):
        with pytest.raises(DatabaseError), transaction.atomic():
            User.objects.filter(pk=user.pk).update(**fields)
    with pytest.raises(ValueError, match="ahead"):
        services.user_ban(email=person().email, reason="x", now_ms=NOW_MS, until_ms=NOW_MS)


def test_the_command_takes_an_end() -> None:
    """Contract, commands: ``ban EMAIL --reason TEXT [--until RFC3339]``; an end in the past is an error."""
    email = person().email
    for until in ("2001-01-01T00:00:00Z", "tomorrow"):
        with pytest.raises(CommandError):
            call_command("ban", email, "--reason", "test", "--until", until)
    assert not User.objects.get(email=email).is_banned
    until_ms = wall_ms() + HOUR_MS
    call_command("ban", email, "--reason", "test", "--until", rfc3339(until_ms), stdout=StringIO())
    assert User.objects.get(email=email).banned_until_ms == until_ms
