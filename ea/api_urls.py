"""REST addresses of the bridge for owners, below /api/v1/ea/."""

from __future__ import annotations

from django.urls import URLPattern, path

from ea import installations_api, instructions_api, risk_api, signals_api
from ea.hook_api import HooksView, HookView

urlpatterns: list[URLPattern] = [
    path("installations", installations_api.InstallationsView.as_view(), name="ea-installations"),
    path("installations/<int:link_id>", installations_api.InstallationView.as_view(), name="ea-installation"),
    path("installations/<int:link_id>/keys", installations_api.KeysView.as_view(), name="ea-keys"),
    path("installations/<int:link_id>/pairing", installations_api.PairingView.as_view(), name="ea-pairing"),
    path("installations/<int:link_id>/params/<path:strategy>", instructions_api.ParamsView.as_view(), name="ea-params"),
    path("installations/<int:link_id>/commands", instructions_api.CommandsView.as_view(), name="ea-tell"),
    path("installations/<int:link_id>/state", risk_api.StateView.as_view(), name="ea-state"),
    path("installations/<int:link_id>/states", risk_api.StatesView.as_view(), name="ea-states"),
    path("installations/<int:link_id>/limits", risk_api.RiskLimitsView.as_view(), name="ea-limits"),
    path("installations/<int:link_id>/limits/reset", risk_api.StopResetView.as_view(), name="ea-limits-reset"),
    path("installations/<int:link_id>/hooks", HooksView.as_view(), name="ea-hooks"),
    path("installations/<int:link_id>/hooks/<str:hook_id>", HookView.as_view(), name="ea-hook-of-installation"),
    path("keys/<str:kid>/rotate", installations_api.KeyRotateView.as_view(), name="ea-key-rotate"),
    path("keys/<str:kid>/revoke", installations_api.KeyRevokeView.as_view(), name="ea-key-revoke"),
    path("symbols/unknown", signals_api.UnknownSymbolsView.as_view(), name="ea-unknown-symbols"),
    path("aliases", signals_api.AliasesView.as_view(), name="ea-aliases"),
    path("aliases/<int:alias_id>", signals_api.AliasView.as_view(), name="ea-alias"),
    path("signals", signals_api.SignalsView.as_view(), name="ea-signals"),
    path("signals/<uuid:event_id>", signals_api.SignalView.as_view(), name="ea-signal"),
    path("attribution", signals_api.AttributionView.as_view(), name="ea-attribution"),
    path("alerts", signals_api.AlertsView.as_view(), name="ea-alerts"),
]
