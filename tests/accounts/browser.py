"""A browser as the terminal is one: cookies, CSRF token, JSON."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import struct
import time
from typing import Any

from django.http import HttpResponse
from django.test import Client

AUTH = "/_allauth/browser/v1"


class Browser:
    """Talks to the platform over Django's test client, CSRF checks switched on."""

    def __init__(self, address: str) -> None:
        self.client = Client(enforce_csrf_checks=True, REMOTE_ADDR=address, HTTP_USER_AGENT="a browser")
        self.client.get(f"{AUTH}/config")

    def send(self, method: str, path: str, body: object = None, **headers: str) -> HttpResponse:
        """Send a request with the CSRF token of the cookie."""
        morsel = self.client.cookies.get("csrftoken")
        token = {} if morsel is None else {"X-CSRFToken": morsel.value}
        return self.client.generic(  # type: ignore[return-value]
            method,
            path,
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers=token | headers,
        )

    def auth(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Call the log-in library and return status and document."""
        response = self.send(method, f"{AUTH}/{path}", body)
        return response.status_code, json.loads(response.content)

    def sign_up(self, email: str, password: str, **more: object) -> tuple[int, dict[str, Any]]:
        """Sign up."""
        return self.auth("POST", "auth/signup", {"email": email, "password": password, **more})

    def log_in(self, email: str, password: str) -> HttpResponse:
        """Log in by password."""
        return self.send("POST", f"{AUTH}/auth/login", {"email": email, "password": password})

    def code_mailed_to(self, email: str) -> str:
        """Return the code of the newest mail to an address, as /dev/mail shows it."""
        mails = json.loads(self.client.get(f"/dev/mail?format=json&to={email}").content)["data"]
        found = re.search(r"\b\d{6}\b", mails[0]["body"])
        assert found is not None
        return found.group()

    def second_factor_added(self, password: str) -> str:
        """Set up an authenticator app and return a recovery code."""
        secret = self.auth("GET", "account/authenticators/totp")[1]["meta"]["secret"]
        assert self.auth("POST", "auth/reauthenticate", {"password": password})[0] == 200
        assert self.auth("POST", "account/authenticators/totp", {"code": totp(secret)})[0] == 200
        codes: list[str] = self.auth("GET", "account/authenticators/recovery-codes")[1]["data"]["unused_codes"]
        return codes[0]


def totp(secret: str) -> str:
    """Return the code of this moment (RFC 6238, SHA-1, 30 s, six digits)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4]) & 0x7FFFFFFF) % 10**6:06d}"
