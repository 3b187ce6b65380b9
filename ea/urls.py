"""Addresses of the bridge over HTTP."""

from __future__ import annotations

from django.urls import URLPattern, path

from ea import api, experts, hook_view

urlpatterns: list[URLPattern] = [
    path("events", api.events_view, name="ea-events"),
    path("pair", api.pair_view, name="ea-pair"),
    path("commands", api.commands_view, name="ea-commands"),
    path("symbols", api.symbols_view, name="ea-symbols"),
    path("hook/<str:token>", hook_view.hook_view, name="ea-hook"),
    path("experts.zip", experts.experts_view, name="ea-experts"),
]
