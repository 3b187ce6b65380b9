"""Sign-up, log-in, second factors and sessions, over HTTP as the terminal speaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from pytest_django.fixtures import Settings

from accounts.models import AccessTrail, Consent, User
from tests.accounts.browser import AUTH, Browser, totp
from tests.accounts.people import PASSWORD, email_new, person


def _flows(document: dict[str, object]) -> set[str]:
    data = document["data"]
    assert isinstance(data, dict)
    return {flow["id"] for flow in data["flows"] if flow.get("is_pending")}


def _trail(user: User) -> list[str]:
    return list(AccessTrail.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


def test_sign_up_by_mailed_code(browser: Browser, settings: Settings) -> None:
    """Contract, HTTP and rules 12: sign-up asks a code by mail, then the session is there, with all a user has."""
    settings.EMAIL_BACKEND = "accounts.mail.DevelopmentBackend"
    email = email_new()

    status, document = browser.sign_up(email.upper(), PASSWORD, country="DE", terms_accepted=True)
    assert status == 401
    assert _flows(document) == {"verify_email"}
    assert browser.send("GET", "/api/v1/me").status_code == 401
    assert browser.auth("POST", "auth/email/verify", {"key": "000000"})[0] == 400
    assert browser.auth("POST", "auth/email/verify", {"key": browser.code_mailed_to(email)})[0] == 200

    me = json.loads(browser.send("GET", "/api/v1/me").content)
    user = User.objects.get(pk=me["id"])
    assert (me["email"], me["country"], me["level"]) == (email, "DE", 1)
    assert set(Consent.objects.filter(user=user).values_list("document", "version")) == {
        ("terms", settings.TERMS_VERSION),
        ("risk_warning", settings.TERMS_VERSION),
    }
    assert _trail(user) == ["sign_up", "log_in"]


def test_sign_up_refuses_bad_fields(browser: Browser) -> None:
    """Rules 12: a weak password or a country that is none makes no user."""
    email = email_new()
    for password, more in (("short", {}), (PASSWORD, {"country": "Germany"}), (PASSWORD, {"country": "de"})):
        assert browser.sign_up(email, password, **more)[0] == 400
    assert not User.objects.filter(email=email).exists()


def test_sign_up_with_a_known_email_looks_the_same(browser: Browser) -> None:
    """S-14: nobody learns from sign-up who has an account; the owner learns of it by mail."""
    user = person()
    status, document = browser.sign_up(user.email, PASSWORD)
    assert (status, _flows(document)) == (401, {"verify_email"})
    assert [message.subject for message in mail.outbox] == ["You already have a Fairstrike account"]
    assert User.objects.filter(email=user.email).count() == 1


def test_log_in_and_log_out(browser: Browser) -> None:
    """Contract, HTTP: password log-in opens a session, log-out ends it on the server; both leave a trail."""
    user = person()
    response = browser.log_in(user.email.upper(), PASSWORD)
    assert response.status_code == 200
    assert response["RateLimit-Policy"] == '"log_in";q=10;w=60'
    key = browser.client.cookies["sessionid"].value
    assert browser.send("GET", "/api/v1/me").status_code == 200

    assert browser.auth("DELETE", "auth/session")[0] == 401
    browser.client.cookies["sessionid"] = key
    assert browser.send("GET", "/api/v1/me").status_code == 401
    assert _trail(user) == ["log_in"]


def test_wrong_password_and_unknown_email_look_the_same(new_browser: Callable[[], Browser]) -> None:
    """S-14: the same answer for a wrong password and an unknown e-mail; the failure is on the trail."""
    user = person()
    wrong = new_browser().log_in(user.email, "wrong-password")
    unknown = new_browser().log_in(email_new(), "wrong-password")
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)
    assert wrong.status_code == 400
    assert _trail(user) == ["log_in_failed"]
    assert AccessTrail.objects.filter(user=None, kind="log_in_failed").exists()


def test_log_in_is_limited_by_address(browser: Browser, new_browser: Callable[[], Browser]) -> None:
    """Contract, limits: the 11th log-in of an address within a minute is 429 with Retry-After; others go on."""
    user = person()
    answers = [browser.log_in(email_new(), "wrong-password").status_code for _ in range(10)]
    assert 200 not in answers
    refused = browser.log_in(user.email, PASSWORD)
    assert refused.status_code == 429
    assert json.loads(refused.content)["code"] == "rate.limited"
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert new_browser().log_in(user.email, PASSWORD).status_code == 200


def test_new_session_key_at_log_in(browser: Browser) -> None:
    """S-18: a session key planted before log-in is worth nothing after it."""
    planted = "p" * 32
    browser.client.cookies["sessionid"] = planted
    assert browser.log_in(person().email, PASSWORD).status_code == 200
    assert browser.client.cookies["sessionid"].value != planted


def test_log_in_needs_the_csrf_token(browser: Browser) -> None:
    """S-12: another page cannot log a browser in."""
    user = person()
    body = json.dumps({"email": user.email, "password": PASSWORD})
    response = browser.client.post(f"{AUTH}/auth/login", body, content_type="application/json")
    assert response.status_code == 403


def test_password_reset_by_code(new_browser: Callable[[], Browser], settings: Settings) -> None:
    """Rules 12: a forgotten password is replaced by a mailed code; sessions of before end."""
    settings.EMAIL_BACKEND = "accounts.mail.DevelopmentBackend"
    user = person()
    before, browser = new_browser(), new_browser()
    before.log_in(user.email, PASSWORD)

    assert browser.auth("POST", "auth/password/request", {"email": user.email})[0] == 401
    code = browser.code_mailed_to(user.email)
    status, _ = browser.auth("POST", "auth/password/reset", {"key": code, "password": "another-good-password"})

    assert status in {200, 401}
    assert before.send("GET", "/api/v1/me").status_code == 401
    assert new_browser().log_in(user.email, PASSWORD).status_code == 400
    assert new_browser().log_in(user.email, "another-good-password").status_code == 200


def test_authenticator_app_as_second_factor(new_browser: Callable[[], Browser]) -> None:
    """Rules 12, S-16: once an app is set up, a password alone opens no session; its secret is stored encrypted."""
    user = person()
    browser = new_browser()
    browser.log_in(user.email, PASSWORD)
    status, document = browser.auth("GET", "account/authenticators/totp")
    assert status == 404
    secret = document["meta"]["secret"]
    # A second factor is set up by whoever knows the password now, not by whoever finds a browser open.
    assert browser.auth("POST", "account/authenticators/totp", {"code": totp(secret)})[0] == 401
    recovery = browser.second_factor_added(PASSWORD)
    assert secret not in str(Authenticator.objects.get(user=user, type="totp").data)

    later = new_browser()
    response = later.log_in(user.email, PASSWORD)
    assert response.status_code == 401
    assert _flows(json.loads(response.content)) == {"mfa_authenticate"}
    assert later.send("GET", "/api/v1/me").status_code == 401
    assert later.auth("POST", "auth/2fa/authenticate", {"code": "000000"})[0] == 400
    assert later.auth("POST", "auth/2fa/authenticate", {"code": recovery})[0] == 200
    assert later.send("GET", "/api/v1/me").status_code == 200

    again = new_browser()
    again.log_in(user.email, PASSWORD)
    assert again.auth("POST", "auth/2fa/authenticate", {"code": recovery})[0] == 400


def test_passkeys_are_offered(browser: Browser) -> None:
    """Rules 12: passkeys can be added, and log-in by passkey is on."""
    browser.log_in(person().email, PASSWORD)
    browser.auth("POST", "auth/reauthenticate", {"password": PASSWORD})
    status, document = browser.auth("GET", "account/authenticators/webauthn")
    assert status == 200
    assert "publicKey" in document["data"]["creation_options"]
    _, config = browser.auth("GET", "config")
    assert config["data"]["mfa"]["passkey_login_enabled"] is True
    assert set(config["data"]["mfa"]["supported_types"]) == {"totp", "webauthn", "recovery_codes"}


def test_sessions_are_listed_and_ended(new_browser: Callable[[], Browser]) -> None:
    """Rules 12, S-18: a user sees the sessions and ends another one."""
    user = person()
    here, there = new_browser(), new_browser()
    for each in (here, there):
        each.log_in(user.email, PASSWORD)
        each.send("GET", "/api/v1/me")
    _, document = here.auth("GET", "auth/sessions")
    others = [session["id"] for session in document["data"] if not session["is_current"]]
    assert len(others) == 1
    here.auth("DELETE", "auth/sessions", {"sessions": others})
    assert there.send("GET", "/api/v1/me").status_code == 401
    assert here.send("GET", "/api/v1/me").status_code == 200


def test_a_session_is_seen_once_a_minute(new_browser: Callable[[], Browser], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules 12: the list says when each session was last used; that costs one write a minute, not one a request."""
    user = person()
    browser = new_browser()
    browser.log_in(user.email, PASSWORD)
    began = time.monotonic()
    ahead_s = 0
    monkeypatch.setattr("accounts.middleware.time.monotonic", lambda: began + ahead_s)

    def seen() -> float:
        return float(browser.auth("GET", "auth/sessions")[1]["data"][0]["last_seen_at"])

    first = seen()
    assert seen() == first
    ahead_s = 60
    assert seen() > first
    assert browser.auth("GET", "config")[1]["data"]["usersessions"]["track_activity"] is True


def test_another_address_is_asked_for_by_who_knows_the_password(browser: Browser, settings: Settings) -> None:
    """Rules 12: an open browser alone cannot move the account; the new address counts once its code was entered."""
    settings.EMAIL_BACKEND = "accounts.mail.DevelopmentBackend"
    user, wanted = person(), email_new()
    browser.log_in(user.email, PASSWORD)

    status, document = browser.auth("POST", "account/email", {"email": wanted})
    assert status == 401
    assert "reauthenticate" in {flow["id"] for flow in document["data"]["flows"]}
    assert browser.auth("POST", "auth/reauthenticate", {"password": "a-wrong-password"})[0] == 400
    assert browser.auth("POST", "auth/reauthenticate", {"password": PASSWORD})[0] == 200
    status, document = browser.auth("POST", "account/email", {"email": wanted})
    assert status == 200
    assert [(each["email"], each["verified"]) for each in document["data"]] == [(user.email, True), (wanted, False)]

    assert browser.auth("POST", "auth/email/verify", {"key": browser.code_mailed_to(wanted)})[0] == 200
    _, document = browser.auth("GET", "account/email")
    assert [(each["email"], each["primary"]) for each in document["data"]] == [(wanted, True)]
    user.refresh_from_db()
    assert user.email == wanted


def test_a_new_password_ends_the_other_sessions(new_browser: Callable[[], Browser]) -> None:
    """Rules 12: who changes the password stays logged in, and nobody else does."""
    user = person()
    here, there = new_browser(), new_browser()
    for each in (here, there):
        each.log_in(user.email, PASSWORD)
    wrong = {"current_password": "a-wrong-password", "new_password": "another-good-password"}
    assert here.auth("POST", "account/password/change", wrong)[0] == 400
    assert here.auth("POST", "account/password/change", wrong | {"current_password": PASSWORD})[0] == 200
    assert here.send("GET", "/api/v1/me").status_code == 200
    assert there.send("GET", "/api/v1/me").status_code == 401


def test_without_redis_sessions_go_on_and_log_in_is_refused(
    new_browser: Callable[[], Browser], settings: Settings, tmp_path: Path
) -> None:
    """F-07, S-37: with Redis down log-in fails closed with 503, sessions that exist go on, log-out works."""
    user = person()
    inside, outside = new_browser(), new_browser()
    assert inside.log_in(user.email, PASSWORD).status_code == 200

    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": f"unix://{tmp_path}/nobody.sock"}}
    refused = outside.log_in(user.email, PASSWORD)
    assert (refused.status_code, json.loads(refused.content)["code"]) == (503, "auth.unavailable")
    assert refused["Content-Type"] == "application/problem+json"
    assert refused["Retry-After"] == "5"
    assert inside.send("GET", "/api/v1/me").status_code == 200
    assert inside.send("GET", f"{AUTH}/auth/session").status_code == 200
    assert inside.auth("DELETE", "auth/session")[0] == 401
    assert inside.send("GET", "/api/v1/me").status_code == 401


def test_banned_user_may_look_but_the_caller_is_marked(browser: Browser) -> None:
    """Interfaces: a session of a banned user may read; the caller says so, for rules that refuse."""
    from django.test import RequestFactory

    from accounts import services
    from accounts.callers import caller_of
    from kernel.clock import wall_ms

    user = person()
    browser.log_in(user.email, PASSWORD)
    services.user_ban(email=user.email, reason="test", now_ms=wall_ms())
    assert browser.send("GET", "/api/v1/me").status_code == 200
    request = RequestFactory().get("/")
    request.session = browser.client.session
    request.user = User.objects.get(pk=user.pk)
    assert caller_of(request, scope="read").banned is True
