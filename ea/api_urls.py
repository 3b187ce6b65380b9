"""REST addresses of the bridge for owners, below /api/v1/ea/."""

from __future__ import annotations

from django.urls import URLPattern, path

from ea import installations_api, signals_api

urlpatterns: list[URLPattern] = [
    path("installations", installations_api.InstallationsView.as_view(), name="ea-installations"),
    path("installations/<int:link_id>", installations_api.InstallationView.as_view(), name="ea-installation"),
    path("installations/<int:link_id>/keys", installations_api.KeysView.as_view(), name="ea-keys"),
    path("installations/<int:link_id>/pairing", installations_api.PairingView.as_view(), name="ea-pairing"),
    path(
        "installations/<int:link_id>/params/<path:strategy>", installations_api.ParamsView.as_view(), name="ea-params"
    ),
    path("installations/<int:link_id>/commands", installations_api.CommandsView.as_view(), name="ea-tell"),
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
