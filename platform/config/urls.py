"""All addresses of the platform."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.decorators.csrf import ensure_csrf_cookie
from drf_spectacular.utils import extend_schema, inline_serializer
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import MeView
from config import health
from ea.risk_api import BridgeIncidentsView
from kernel.clock import rfc3339, wall_ms
from trading.limits_api import limits_of_caller


@ensure_csrf_cookie
def terminal(request: HttpRequest) -> HttpResponse:
    """Deliver the terminal; its own router reads the address."""
    return render(request, "terminal.html", {"development": settings.DEVELOPMENT})


class TimeView(APIView):
    """The server's clock."""

    permission_classes = [AllowAny]
    authentication_classes = []

    @extend_schema(responses=inline_serializer("Time", {"server_time": serializers.DateTimeField()}))
    def get(self, request: Request) -> Response:
        """Tell the time, for clients that draw countdowns."""
        return Response({"server_time": rfc3339(wall_ms())})


_api: list[URLPattern | URLResolver] = [
    path("time", TimeView.as_view()),
    path("me", MeView.as_view(limits_of=limits_of_caller), name="me"),
    path("", include("accounts.urls")),
    path("", include("ledger.urls")),
    path("", include("realtime.urls")),
    path("", include("quotes.urls")),
    path("", include("trading.urls")),
    path("", include("trading.limits_urls")),
    path("", include("settlement.urls")),
    path("ea/", include("ea.api_urls")),
    path("fairness/bridge", BridgeIncidentsView.as_view()),
]

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics_view),
    path("admin/", admin.site.urls),
    path("_allauth/", include("allauth.headless.urls")),
    path("api/v1/", include(_api)),
    path("ea/v1/", include("ea.urls")),
    path("api/schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema")),
]
if settings.DEVELOPMENT:
    urlpatterns.append(path("dev/", include("accounts.dev_urls")))

# Whatever a person may have bookmarked inside the terminal; programs' addresses stay 404.
urlpatterns.append(re_path(r"^(?!api/|_allauth/|admin/|dev/|ea/|static/|ws/|healthz|readyz|metrics)", terminal))
