"""Addresses of the bridge over HTTP."""

from __future__ import annotations

from django.urls import URLPattern, path

from ea import api

urlpatterns: list[URLPattern] = [
    path("events", api.events_view, name="ea-events"),
    path("pair", api.pair_view, name="ea-pair"),
    path("commands", api.commands_view, name="ea-commands"),
]
