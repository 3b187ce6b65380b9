"""Contract, HTTP: the addresses that belong to no app."""

from __future__ import annotations

import json

import pytest
from django.conf import settings
from django.test import Client, override_settings

from tests.journeys.client import ROOT

pytestmark = pytest.mark.django_db


def test_health_needs_nothing(client: Client) -> None:
    """Contract: /healthz does no I/O."""
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_says_what_is_missing(client: Client) -> None:
    """Contract: /readyz is red without ticks, and names the feed."""
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "redis": "ok", "feed": "no ticks", "settlement": "ok"}


def test_ready_is_red_without_redis(client: Client) -> None:
    """Contract: /readyz asks Redis."""
    with override_settings(REDIS_URL="unix:///nowhere/redis.sock"):
        assert client.get("/readyz").json()["checks"]["redis"].startswith("failed")


def test_metrics_are_guarded(client: Client) -> None:
    """Contract: /metrics opens to the token only, and to nobody while none is set."""
    assert client.get("/metrics").status_code == 401
    with override_settings(METRICS_TOKEN="m" * 20):
        assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        opened = client.get("/metrics", headers={"Authorization": "Bearer " + "m" * 20})
    assert opened.status_code == 200
    assert b"fairstrike_orders_due 0" in opened.content


def test_the_terminal_sets_the_csrf_cookie(client: Client) -> None:
    """Contract: GET / sets the csrftoken cookie; a bookmarked page of the terminal is the terminal too."""
    for address in ("/", "/history"):
        page = client.get(address)
        assert page.status_code == 200
        assert b'<div id="app">' in page.content
    assert client.cookies["csrftoken"].value


def test_the_terminal_can_be_installed(client: Client) -> None:
    """Contract: the page names its manifest, which is served as one, and every icon in it exists."""
    page = client.get("/").content.decode()
    assert '<link rel="manifest" href="/static/terminal/manifest.webmanifest">' in page
    assert page.count('name="theme-color"') == 2
    assert settings.WHITENOISE_MIMETYPES[".webmanifest"] == "application/manifest+json"
    public = ROOT / "terminal" / "public"
    manifest = json.loads((public / "manifest.webmanifest").read_text())
    assert {icon["purpose"] for icon in manifest["icons"]} == {"any", "maskable"}
    for icon in manifest["icons"]:
        assert (public / icon["src"].removeprefix("/static/terminal/")).is_file()
    assert (public / "icons" / "apple-touch-icon.png").is_file()


@pytest.mark.parametrize("address", ["/api/v1/nothing", "/api/nothing", "/ea/v1/nothing"])
def test_unknown_addresses_of_programs_are_problems(client: Client, address: str) -> None:
    """Contract: errors are problem documents with a code and the request's id."""
    answer = client.get(address)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"
    assert answer.json()["request_id"] == answer["X-Request-ID"]


def test_the_time_is_rfc_3339_with_milliseconds(client: Client) -> None:
    """Contract: GET /time."""
    text = client.get("/api/v1/time").json()["server_time"]
    assert len(text) == len("2026-01-31T09:30:00.125Z")
    assert text.endswith("Z")


def test_the_schema_is_openapi_3_1(client: Client) -> None:
    """Contract: /api/schema describes every address of the API, open to everybody."""
    schema = client.get("/api/schema").json()
    assert schema["openapi"].startswith("3.1")
    assert {"/api/v1/orders", "/api/v1/wallets", "/api/v1/symbols", "/api/v1/events"} <= schema["paths"].keys()
    assert client.get("/api/docs").status_code == 200


def test_security_headers_stand_on_every_answer(client: Client) -> None:
    """S-11: CSP, nosniff, referrer and framing rules on pages and problems alike."""
    for address in ("/", "/api/v1/nothing"):
        answer = client.get(address)
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"


def test_the_terminal_is_typed_by_the_schema_of_today(client: Client) -> None:
    """Contract: the typed client is generated from /api/schema; ``manage.py spectacular`` writes the file anew."""
    written = json.loads((ROOT / "terminal" / "openapi.json").read_text())
    assert client.get("/api/schema").json() == written
