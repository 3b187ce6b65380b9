"""REST addresses of the bridge for owners of installations, below /api/v1/ea/."""

from __future__ import annotations

from django.urls import URLPattern, path

from ea import risk_api
from ea.hook_api import HooksView, HookView

urlpatterns: list[URLPattern] = [
    path("installations/<int:link_id>/state", risk_api.StateView.as_view(), name="ea-state"),
    path("installations/<int:link_id>/states", risk_api.StatesView.as_view(), name="ea-states"),
    path("installations/<int:link_id>/limits", risk_api.RiskLimitsView.as_view(), name="ea-limits"),
    path("installations/<int:link_id>/limits/reset", risk_api.StopResetView.as_view(), name="ea-limits-reset"),
    path("installations/<int:link_id>/hooks", HooksView.as_view(), name="ea-hooks"),
    path("installations/<int:link_id>/hooks/<str:hook_id>", HookView.as_view(), name="ea-hook-of-installation"),
]
