"""The keys that sign receipts and archives, and the program that checks them: for everybody, without a log-in."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.http.pages import known_query
from kernel.signing_history import keys_public
from quotes.api import PublicView


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
        return Response({"data": keys_public()})
