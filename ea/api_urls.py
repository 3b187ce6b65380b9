"""Addresses of the bridge for its owner, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from ea import risk_api

urlpatterns = [
    path("ea/installations/<int:link_id>/state", risk_api.StateView.as_view()),
    path("ea/installations/<int:link_id>/states", risk_api.StatesView.as_view()),
    path("ea/installations/<int:link_id>/limits", risk_api.RiskLimitsView.as_view()),
    path("ea/installations/<int:link_id>/limits/reset", risk_api.StopResetView.as_view()),
    path("fairness/bridge", risk_api.BridgeIncidentsView.as_view()),
]
