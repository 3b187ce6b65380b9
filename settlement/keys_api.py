"""The keys that sign receipts and archives, and the program that checks them: for everybody, without a log-in."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.http.pages import known_query
from kernel.signing import signing_key_record
from kernel.signing_history import keys_public
from quotes.api import PublicView
from settlement.verifier import NAME, verifier_bytes


class SigningKeySerializer(serializers.Serializer[Any]):
    """A key and the time in which it signed; ``until`` is null for the one in use."""

    key_id = serializers.CharField()
    kind = serializers.ChoiceField(["production", "dev"])
    public_key = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)


class SigningKeyListSerializer(serializers.Serializer[Any]):
    """All keys that ever signed, newest first."""

    data = SigningKeySerializer(many=True)  # type: ignore[assignment]


class SigningKeysView(PublicView):
    """The platform's keys."""

    @extend_schema(operation_id="fairness_keys", responses=SigningKeyListSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """List the keys that sign receipts and archives, newest first."""
        known_query(request.query_params)
        signing_key_record()
        return Response({"data": keys_public()})


class VerifierView(PublicView):
    """The program that checks receipts and archives."""

    @extend_schema(
        operation_id="fairness_verifier",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
        auth=[],
    )
    def get(self, request: Request) -> HttpResponse:
        """Download fairstrike-verify: one file for Python 3.11 or newer that needs no network."""
        known_query(request.query_params)
        body = verifier_bytes()
        return HttpResponse(
            body,
            content_type="application/zip",
            headers={
                "Content-Disposition": f'attachment; filename="{NAME}"',
                "ETag": f'"{hashlib.sha256(body).hexdigest()}"',
            },
        )
