"""What the OpenAPI document tells of every operation: problem documents, request ids, rate limits."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from kernel.http.pages import LIMIT_DEFAULT, LIMIT_MAX

PROBLEM_MEDIA_TYPE = "application/problem+json"
PAGE = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        description="The most that one page brings",
    ),
    OpenApiParameter("cursor", str, description="The next_cursor of the page before"),
]
FROM = OpenApiParameter("from", OpenApiTypes.DATETIME, description="RFC 3339, inclusive")
TO = OpenApiParameter("to", OpenApiTypes.DATETIME, description="RFC 3339, exclusive")
_DESCRIPTIONS = {
    400: "The request does not have the expected shape.",
    401: "The caller is unknown.",
    403: "The caller may not do this.",
    404: "There is nothing here for the caller.",
    410: "What is asked for is no longer kept.",
    406: "Only application/json is answered here.",
    409: "The state of things does not allow this.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A rule refuses this.",
    429: "Too many requests.",
    503: "Not just now: the same request may be sent again.",
}
_REFUSED = 400
_RETRY = (429, 503)
_REQUEST_ID = {"X-Request-ID": {"required": True, "schema": {"type": "string", "format": "uuid"}}}
_RATES = {"RateLimit": r'^"[a-z_]+";r=\d+;t=\d+$', "RateLimit-Policy": r'^"[a-z_]+";q=\d+;w=\d+$'}


class FieldErrorSerializer(serializers.Serializer[Any]):
    """One field of a request that does not have the asked shape."""

    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A refusal (RFC 9457): nothing has changed, and ``code`` says why."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField(allow_null=True)
    retryable = serializers.BooleanField()
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]


class ProblemSchema(AutoSchema):
    """Describe operations with the answers that all of them share.

    A view names what it refuses besides by ``problems``: statuses by method, such as ``{"GET": (410,)}``.
    """

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Return the operation with its refusals and headers."""
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        responses = operation["responses"]
        for status in self._refusals(operation):
            responses.setdefault(str(status), {"description": _DESCRIPTIONS.get(status, "Refused.")})
        problem = self.resolve_serializer(ProblemSerializer, "response").ref
        for status, response in responses.items():
            if int(status) >= _REFUSED:
                response["content"] = {PROBLEM_MEDIA_TYPE: {"schema": problem}}
            response["headers"] = self._headers(int(status)) | response.get("headers", {})
        operation["responses"] = dict(sorted(responses.items()))
        return operation

    def get_auth(self) -> list[dict[str, Any]]:
        """Return the ways to be known: each scheme is enough by itself."""
        asked: list[dict[str, Any]] = super().get_auth()
        return [{name: scopes} for requirement in asked for name, scopes in requirement.items()] or asked

    def _map_serializer(self, serializer: Any, direction: str, bypass_extensions: bool = False) -> Any:
        """Tell that unknown fields of a request are refused."""
        mapped = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if direction == "request" and mapped.get("type") == "object":
            mapped["additionalProperties"] = False
        return mapped

    def _refusals(self, operation: dict[str, Any]) -> set[int]:
        """Return the statuses with which an operation may refuse."""
        found = {400, 406, 429}
        if any(operation.get("security", ())):
            found |= {401, 403}
        if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
            found.add(404)
        if self.method in ("POST", "PUT", "PATCH", "DELETE"):
            found |= {409, 422, 503}
        if "requestBody" in operation:
            found |= {413, 415}
        return found | set(getattr(self.view, "problems", {}).get(self.method, ()))

    def _headers(self, status: int) -> dict[str, Any]:
        # A request that is refused before it is counted, such as one without a token, has no limit to tell of.
        counted = status < _REFUSED
        headers: dict[str, Any] = dict(_REQUEST_ID) | {
            name: {"required": counted, "schema": {"type": "string", "pattern": pattern}}
            for name, pattern in _RATES.items()
        }
        if status in _RETRY:
            headers["Retry-After"] = {"required": status == _RETRY[0], "schema": {"type": "integer", "minimum": 1}}
        return headers
