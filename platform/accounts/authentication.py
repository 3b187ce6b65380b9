"""How REST framework knows callers.

Apart from the views: REST framework reads its defaults while its own views module is being imported.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.functional import SimpleLazyObject
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.callers import Caller, caller_of
from accounts.models import User


class CallerAuthentication(BaseAuthentication):
    """Know the caller by token or session; a view names the scope of a method in ``scopes``."""

    def authenticate(self, request: Request) -> tuple[Any, Caller]:
        """Return the user, loaded only when somebody looks at it, and the caller.

        :raises Problem: see :func:`accounts.callers.caller_of`
        """
        view = request.parser_context["view"] if request.parser_context else None
        scope = getattr(view, "scopes", {}).get(request.method, "read")
        caller = caller_of(request._request, scope=scope)
        if caller.token_id is None:
            return request._request.user, caller
        return SimpleLazyObject(lambda: User.objects.get(pk=caller.user_id)), caller

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme in answers of 401."""
        return "Bearer"


class CallerRequired(BasePermission):
    """Let known callers in, without loading their user."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the caller is known; an unknown one was refused already."""
        return isinstance(request.auth, Caller)


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tell the schema how callers are known."""

    target_class = "accounts.authentication.CallerAuthentication"
    name = ["token", "session"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        """Return both ways: a bearer token, or the session's cookie."""
        return [
            {"type": "http", "scheme": "bearer", "description": "An API token"},
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        ]
