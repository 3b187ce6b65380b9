"""Addresses of the bridge over HTTP."""

from __future__ import annotations

from django.urls import URLPattern, path

from ea import api, experts

urlpatterns: list[URLPattern] = [
    path("events", api.events_view, name="ea-events"),
    path("commands", api.commands_view, name="ea-commands"),
    path("experts.zip", experts.experts_view, name="ea-experts"),
]
