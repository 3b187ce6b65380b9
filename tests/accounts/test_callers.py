"""Tokens and sessions as callers of the API."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import services
from accounts.callers import token_caller
from accounts.models import ApiToken, User
from kernel.clock import wall_ms
from tests.accounts.people import person, token_of

pytestmark = pytest.mark.django_db
ALL_SCOPES = ("read", "trade", "withdraw", "tokens")


def _call(token: str, method: str = "GET", path: str = "/api/v1/me", body: object = None, **meta: Any) -> Any:
    client = Client(headers={"Authorization": f"Bearer {token}"}, enforce_csrf_checks=True, **meta)
    data = b"" if body is None else json.dumps(body).encode()
    return client.generic(method, path, data, content_type="application/json")


def _refusal(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def _stored(token: str) -> ApiToken:
    return ApiToken.objects.get(prefix=token.split("_")[1])


def test_token_tells_who_calls() -> None:
    """Contract, me: the caller's own account, with limits and features."""
    user = person()
    response = _call(token_of(user.pk))
    assert response.status_code == 200
    assert response.json() == {
        "id": str(user.pk),
        "email": user.email,
        "country": None,
        "level": 1,
        "limits": {
            name: {"set": None, "left": None}
            for name in ("loss_day", "loss_7d", "loss_30d", "stake_day", "deposit_day", "open_orders", "session")
        },
        "features": ["api_tokens", "demo", "real"],
    }
    assert response["RateLimit-Policy"].startswith('"reads"')


@pytest.mark.parametrize("header", ["Bearer fs_0_0", "Bearer ", "Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer fs_ü"])
def test_unknown_tokens_are_refused(header: str) -> None:
    """Contract, Auth: 401 for what is no token of ours, with the scheme that would be."""
    response = Client(headers={"Authorization": header}).get("/api/v1/me")
    assert _refusal(response) == (401, "auth.invalid_token")
    assert response["WWW-Authenticate"] == "Bearer"


def test_revoked_expired_and_closed_are_unknown() -> None:
    """S-23: a revoked or expired token is refused at once, like one of a closed account."""
    user = person()
    revoked, expired, kept = (token_of(user.pk) for _ in range(3))
    services.token_revoke(user_id=user.pk, token_id=_stored(revoked).pk, now_ms=wall_ms())
    ApiToken.objects.filter(pk=_stored(expired).pk).update(created_at_ms=1, expires_at_ms=wall_ms())

    assert _refusal(_call(revoked)) == (401, "auth.invalid_token")
    assert _refusal(_call(expired)) == (401, "auth.invalid_token")
    assert _call(kept).status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert _refusal(_call(kept)) == (401, "auth.invalid_token")


def test_ban_suspends_tokens_until_unban() -> None:
    """Contract, Auth: a banned user's tokens answer 403 ``account.banned`` and work again after ``unban``."""
    user = person()
    token = token_of(user.pk)
    services.user_ban(email=user.email, reason="test", now_ms=wall_ms())
    assert _refusal(_call(token)) == (403, "account.banned")
    services.user_unban(email=user.email)
    assert _call(token).status_code == 200


def test_address_list_holds_against_a_forged_header() -> None:
    """S-23: ``X-Forwarded-For`` of a stranger does not open an address list."""
    token = token_of(person().pk, "read", ips=("192.0.2.0/24",))
    assert _call(token, REMOTE_ADDR="192.0.2.9").status_code == 200
    assert _call(token, REMOTE_ADDR="::ffff:192.0.2.9").status_code == 200
    forged = _call(token, REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR="192.0.2.9")
    assert _refusal(forged) == (403, "auth.address")


def test_scopes_are_kept_apart() -> None:
    """S-23: a token does what its scopes say and nothing else."""
    user = person()
    for scope in ALL_SCOPES:
        token = token_of(user.pk, scope)
        assert _call(token).status_code == (200 if scope == "read" else 403)
        assert _call(token, path="/api/v1/tokens").status_code == (200 if scope == "tokens" else 403)


def test_token_is_found_by_one_query_and_marks_its_use_once_a_minute() -> None:
    """Performance, data path 4: knowing a caller costs one query; the mark of use comes at most once a minute."""
    token = token_of(person().pk)
    with CaptureQueriesContext(connection) as first:
        token_caller(token, address=None)
    with CaptureQueriesContext(connection) as second:
        token_caller(token, address=None)
    assert (len(first), len(second)) == (2, 1)
    assert _stored(token).last_used_at_ms is not None


def test_header_wins_over_cookies() -> None:
    """Contract, Auth: with an ``Authorization`` header cookies mean nothing, and no CSRF token is asked."""
    mine, other = person(), person()
    client = Client(enforce_csrf_checks=True)
    client.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token_of(mine.pk)}"})
    assert answer.json()["id"] == str(mine.pk)
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer fs_0_0"}).status_code == 401


def test_session_needs_the_csrf_token_to_write() -> None:
    """S-12, contract, Auth: a session's write without the token, or with a wrong one, is 403 ``auth.csrf``."""
    client = Client(enforce_csrf_checks=True)
    assert client.post("/api/v1/tokens", {}, content_type="application/json").status_code == 401
    client.force_login(person(), backend="django.contrib.auth.backends.ModelBackend")
    body = {"scopes": ["read"]}

    assert _refusal(client.post("/api/v1/tokens", body, content_type="application/json")) == (403, "auth.csrf")
    client.get("/_allauth/browser/v1/config")
    wrong = client.post("/api/v1/tokens", body, content_type="application/json", headers={"X-CSRFToken": "x" * 32})
    assert _refusal(wrong) == (403, "auth.csrf")
    right = client.post(
        "/api/v1/tokens",
        body,
        content_type="application/json",
        headers={"X-CSRFToken": client.cookies["csrftoken"].value},
    )
    assert right.status_code == 201


def test_tokens_are_made_shown_once_listed_and_revoked() -> None:
    """Rules 12: the secret is in the first answer only, stored hashed; revoked tokens leave the list."""
    user = person()
    manager = token_of(user.pk, *ALL_SCOPES)
    made = _call(
        manager,
        "POST",
        "/api/v1/tokens",
        {
            "name": "bot",
            "scopes": ["trade", "read"],
            "ledgers": ["demo"],
            "ips": ["192.0.2.1", "2001:db8::/32"],
            "expires_at": "2999-01-01T00:00:00+02:00",
        },
    )
    assert made.status_code == 201
    document = made.json()
    secret = document.pop("token")
    assert document == {
        "id": document["id"],
        "name": "bot",
        "prefix": secret.split("_")[1],
        "scopes": ["read", "trade"],
        "ledgers": ["demo"],
        "ips": ["192.0.2.1/32", "2001:db8::/32"],
        "created_at": document["created_at"],
        "expires_at": "2998-12-31T22:00:00.000Z",
        "last_used_at": None,
        "stake_day_cap": None,
        "loss_day_cap": None,
    }
    assert secret not in json.dumps(_call(manager, path="/api/v1/tokens").json())
    assert _call(secret, REMOTE_ADDR="192.0.2.1").status_code == 200

    assert _call(manager, "DELETE", f"/api/v1/tokens/{document['id']}").status_code == 204
    assert _refusal(_call(secret, REMOTE_ADDR="192.0.2.1")) == (401, "auth.invalid_token")
    assert _refusal(_call(manager, "DELETE", f"/api/v1/tokens/{document['id']}")) == (404, "not_found")
    assert [token["name"] for token in _call(manager, path="/api/v1/tokens").json()["data"]] == [""]


def test_a_token_has_caps_of_its_own() -> None:
    """Rules 12, API tokens: caps are set when a token is made, shown in lists, and known of the caller."""
    manager = token_of(person().pk, *ALL_SCOPES)
    body = {"scopes": ["read", "trade", "tokens"], "stake_day_cap": "100", "loss_day_cap": "20.50"}
    made = _call(manager, "POST", "/api/v1/tokens", body).json()
    assert (made["stake_day_cap"], made["loss_day_cap"]) == ("100.00", "20.50")
    listed = _call(manager, path="/api/v1/tokens").json()["data"]
    assert [token["loss_day_cap"] for token in listed] == ["20.50", None]
    assert token_caller(made["token"], address=None).capped
    assert not token_caller(manager, address=None).capped


def test_a_capped_token_makes_no_token_that_trades() -> None:
    """S-23: two caps would be no cap; tokens that only read are its to make."""
    _, capped = services.token_create(user_id=person().pk, scopes=ALL_SCOPES, now_ms=wall_ms(), loss_day_cap=100)
    asked = {"scopes": ["trade"], "loss_day_cap": "1.00"}
    assert _refusal(_call(capped, "POST", "/api/v1/tokens", asked)) == (403, "auth.capped")
    assert _call(capped, "POST", "/api/v1/tokens", {"scopes": ["read"]}).status_code == 201


def test_tokens_of_others_do_not_exist() -> None:
    """S-02: another user's token is 404, like one that never was."""
    other = _stored(token_of(person().pk))
    manager = token_of(person().pk, "tokens")
    for token_id in (other.pk, uuid4()):
        assert _refusal(_call(manager, "DELETE", f"/api/v1/tokens/{token_id}")) == (404, "not_found")


def test_list_of_tokens_is_paged() -> None:
    """Contract, Lists: newest first, pages follow each other without gap or repeat."""
    user = person()
    manager = token_of(user.pk, "tokens")
    for _ in range(4):
        token_of(user.pk)
    first = _call(manager, path="/api/v1/tokens?limit=3").json()
    second = _call(manager, path=f"/api/v1/tokens?limit=3&cursor={first['next_cursor']}").json()
    seen = [token["id"] for token in first["data"] + second["data"]]
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scopes": []},
        {"scopes": ["admin"]},
        {"scopes": ["read"], "ledgers": []},
        {"scopes": ["read"], "ledgers": ["gold"]},
        {"scopes": ["read"], "ips": ["300.1.1.1"]},
        {"scopes": ["read"], "expires_at": "soon"},
        {"scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"},
        {"scopes": ["read"], "user_id": str(uuid4())},
        {"scopes": ["read"], "stake_day_cap": 10},
        {"scopes": ["read"], "stake_day_cap": "0.00"},
        {"scopes": ["read"], "loss_day_cap": "-1.00"},
        {"scopes": ["read"], "loss_day_cap": "1e3"},
        {"scopes": ["read"], "loss_day_cap": "1.001"},
        {"scopes": "read"},
        [],
    ],
)
def test_bad_token_requests_are_refused(body: object) -> None:
    """S-03: unknown fields and wrong shapes are 400 and make no token."""
    user = person()
    manager = token_of(user.pk, *ALL_SCOPES)
    assert _refusal(_call(manager, "POST", "/api/v1/tokens", body)) == (400, "request.invalid")
    assert ApiToken.objects.filter(user=user).count() == 1


def test_a_token_makes_no_stronger_token() -> None:
    """S-23: a token that may make tokens cannot give rights or ledgers that it lacks itself."""
    weak = token_of(person().pk, "tokens", "read", ledgers=["demo"])
    for asked, code in (
        ({"scopes": ["trade"], "ledgers": ["demo"]}, "auth.scope"),
        ({"scopes": ["read"], "ledgers": ["real"]}, "auth.ledger"),
        ({"scopes": ["read"]}, "auth.ledger"),
    ):
        assert _refusal(_call(weak, "POST", "/api/v1/tokens", asked)) == (403, code)
    assert _call(weak, "POST", "/api/v1/tokens", {"scopes": ["read"], "ledgers": ["demo"]}).status_code == 201
