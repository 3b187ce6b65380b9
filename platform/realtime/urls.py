"""REST addresses of this app, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from realtime.api import EventsView

urlpatterns = [path("events", EventsView.as_view(), name="events")]
