"""The operators' pages about people."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import services
from accounts.limits import DAY_MS
from accounts.models import AccessTrail, ApiToken, Ban, Limit, User
from kernel.clock import rfc3339, wall_ms
from kernel.http import rates
from tests.accounts.browser import Browser
from tests.accounts.people import PASSWORD, person, token_of

pytestmark = pytest.mark.django_db

LISTS = (
    *("accounts/user", "accounts/apitoken", "accounts/accesstrail", "accounts/consent", "accounts/devmail"),
    *("accounts/limit", "accounts/limitchange", "accounts/ban"),
    *("account/emailaddress", "mfa/authenticator", "usersessions/usersession", "auth/group", "realtime/eventcounter"),
)


@pytest.fixture
def operator() -> Client:
    """Log an operator in by password at /admin/login/."""
    rates.rates_reset()
    client = Client()
    staff = person(staff=True)
    answer = client.post("/admin/login/?next=/admin/", {"username": staff.email, "password": PASSWORD})
    assert answer.status_code == 302
    return client


@pytest.mark.parametrize("name", LISTS)
def test_lists_open(operator: Client, name: str) -> None:
    """Issue 2, first admin: every list about people opens and can be searched."""
    user = person()
    token_of(user.pk)
    services.consent_record(user_id=user.pk, version="1", now_ms=wall_ms())
    services.limits_set(user_id=user.pk, wanted={"loss_day": 100, "session": 60}, now_ms=wall_ms())
    services.user_ban(email=user.email, reason="test", now_ms=wall_ms())
    assert operator.get(f"/admin/{name}/").status_code == 200
    assert operator.get(f"/admin/{name}/?q=person").status_code == 200


def test_operator_log_in_is_on_the_trail(operator: Client) -> None:
    """Rules 12: the admin's log-in is recorded like any other."""
    staff = User.objects.get(pk=operator.session["_auth_user_id"])
    assert AccessTrail.objects.filter(user=staff, kind="log_in").count() == 1


def test_ban_asks_for_a_reason_and_is_recorded(operator: Client) -> None:
    """Rules 12: an operator bans with a reason, sees it, and lifts the ban."""
    user = person()
    page = f"/admin/accounts/user/{user.pk}"
    assert b"Ban this user?" in operator.get(f"{page}/ban/").content
    operator.post(f"{page}/ban/", {"_form_submitted": "True", "reason": ""})
    user.refresh_from_db()
    assert not user.is_banned

    answer = operator.post(f"{page}/ban/", {"_form_submitted": "True", "reason": "two accounts"})
    assert answer.status_code == 302
    user.refresh_from_db()
    assert (user.is_banned, user.ban_reason) == (True, "two accounts")
    assert b"two accounts" in operator.get(f"{page}/change/").content
    assert b"two accounts" in operator.get(f"{page}/history/").content

    assert operator.post(f"{page}/ban/", {"_form_submitted": "True", "reason": "again"}).status_code == 403
    operator.post(f"{page}/unban/", {"_form_submitted": "True"})
    user.refresh_from_db()
    assert not user.is_banned


def test_a_ban_may_have_an_end(operator: Client) -> None:
    """Rules 12: an operator bans until an instant in UTC that lies ahead, and is named in the history."""
    user = person()
    page = f"/admin/accounts/user/{user.pk}"
    asked = {"_form_submitted": "True", "reason": "cooling off"}
    operator.post(f"{page}/ban/", asked | {"until": "2001-01-01T00:00"})
    user.refresh_from_db()
    assert not user.is_banned

    operator.post(f"{page}/ban/", asked | {"until": "2999-01-01T10:30"})
    user.refresh_from_db()
    assert rfc3339(user.banned_until_ms or 0) == "2999-01-01T10:30:00.000Z"
    operator.post(f"{page}/unban/", {"_form_submitted": "True"})
    ban = Ban.objects.get(user=user)
    assert str(ban.by_id) == str(ban.lifted_by_id) == operator.session["_auth_user_id"]
    shown = operator.get(f"{page}/change/").content.decode()
    assert "cooling off" in shown
    assert "2999-01-01T10:30:00.000Z" in shown


def test_operators_see_own_limits_and_change_none(operator: Client) -> None:
    """Rules 12, 14: limits, breaks and exclusions are the user's alone; a forged form changes nothing."""
    user = person()
    now_ms = wall_ms()
    services.limits_set(user_id=user.pk, wanted={"loss_day": 12_345, "open_orders": 7}, now_ms=now_ms)
    services.limits_set(user_id=user.pk, wanted={"loss_day": None}, now_ms=now_ms)
    until_ms = services.break_begin(user_id=user.pk, days=3, now_ms=now_ms)
    page = f"/admin/accounts/user/{user.pk}/change/"
    shown = operator.get(page).content.decode()
    for text in ("123.45", "7 orders", f"none from {rfc3339(now_ms + DAY_MS)}", "loosening asked", rfc3339(until_ms)):
        assert text in shown

    forged = {"is_active": "on", "break_until_ms": "", "excluded_until_ms": "", "limits_set": ""}
    assert operator.post(page, forged).status_code == 302
    user.refresh_from_db()
    assert (user.break_until_ms, user.limits_set) == (until_ms, True)
    row = Limit.objects.get(user=user, name="loss_day")
    assert operator.post(f"/admin/accounts/limit/{row.pk}/change/", {"value": "99999"}).status_code == 403
    row.refresh_from_db()
    assert row.value == 12_345


def test_no_page_shows_or_takes_secrets(operator: Client) -> None:
    """S-39, rules 14: neither password hashes nor token hashes nor session keys appear, and none can be set."""
    user = person()
    token = ApiToken.objects.get(prefix=token_of(user.pk).split("_")[1])
    pages = [f"/admin/accounts/user/{user.pk}/change/", f"/admin/accounts/apitoken/{token.pk}/change/"]
    shown = b"".join(operator.get(page).content for page in pages)
    assert user.password.encode() not in shown
    assert bytes(token.secret_hash).hex().encode() not in shown
    assert operator.post(pages[1], {"name": "changed"}).status_code == 403
    operator.post(pages[0], {"email": "taken@example.com", "password": "x", "is_active": "on"})
    user.refresh_from_db()
    assert user.email != "taken@example.com"


def test_support_cannot_raise_its_own_rights() -> None:
    """Rules 14: staff without superuser rights change no rights."""
    from django.contrib.auth.models import Permission

    support = person(staff=True)
    User.objects.filter(pk=support.pk).update(is_superuser=False)
    support.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client = Client()
    client.force_login(support, backend="django.contrib.auth.backends.ModelBackend")
    client.post(f"/admin/accounts/user/{support.pk}/change/", {"is_superuser": "on", "is_staff": "on"})
    support.refresh_from_db()
    assert not support.is_superuser
    assert client.get(f"/admin/accounts/user/{support.pk}/ban/").status_code == 200
    support.user_permissions.clear()
    assert client.get(f"/admin/accounts/user/{support.pk}/ban/").status_code == 403


def test_staff_need_a_second_factor_in_production(new_browser: Callable[[], Browser], settings: Settings) -> None:
    """Rules 12, S-16: where it is required, a session that a password alone opened sees no admin page."""
    settings.REQUIRE_STAFF_MFA = True
    staff = person(staff=True)
    first = new_browser()
    first.log_in(staff.email, PASSWORD)
    refused = first.client.get("/admin/")
    assert refused.status_code == 403
    assert b"second factor" in refused.content

    code = first.second_factor_added(PASSWORD)
    assert first.client.get("/admin/").status_code == 403
    second = new_browser()
    second.log_in(staff.email, PASSWORD)
    assert second.client.get("/admin/").status_code == 302
    assert second.auth("POST", "auth/2fa/authenticate", {"code": code})[0] == 200
    assert second.client.get("/admin/").status_code == 200


def test_people_stay_out(settings: Settings) -> None:
    """S-01: traders and strangers get the log-in page, never a list."""
    client = Client()
    assert client.get("/admin/accounts/user/").status_code == 302
    client.force_login(person(), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/accounts/user/").status_code == 302
