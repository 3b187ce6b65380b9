"""Placement the conventional way: a view of Django REST framework, serializers, and the ORM in a transaction."""

from __future__ import annotations

import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.ratios.twins.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from django.urls import path  # noqa: E402 - Django's applications come first
from rest_framework import serializers, status  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from accounts.models import User  # noqa: E402
from bench.ratios.twins.placing import order_placed  # noqa: E402
from trading.models import Order  # noqa: E402


class AskedSerializer(serializers.Serializer[Any]):
    """What an order asks for."""

    client_order_id = serializers.RegexField(r"^[A-Za-z0-9._:-]{1,64}$")
    symbol = serializers.CharField(max_length=32)
    direction = serializers.ChoiceField(["up", "down"])
    stake = serializers.DecimalField(max_digits=15, decimal_places=2)
    ledger = serializers.ChoiceField(["real", "demo"])
    duration_s = serializers.IntegerField(min_value=1)


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order as it is answered."""

    class Meta:
        model = Order
        fields = "__all__"


class OrderView(APIView):
    """POST places an order."""

    def post(self, request: Request) -> Response:
        """Validate, place, answer."""
        asked = AskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        order = order_placed(cast(User, request.user), asked.validated_data)
        return Response(OrderSerializer(order).data, status=status.HTTP_201_CREATED)


urlpatterns = [path("api/v1/orders", OrderView.as_view())]
