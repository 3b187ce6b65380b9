"""REST addresses of this app, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from accounts.api import TokensView, TokenView

urlpatterns = [
    path("tokens", TokensView.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>", TokenView.as_view(), name="token"),
]
