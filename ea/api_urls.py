"""REST addresses of the bridge for owners of installations, below /api/v1/ea/."""

from __future__ import annotations

from django.urls import URLPattern, path

from ea.hook_api import HooksView, HookView

urlpatterns: list[URLPattern] = [
    path("installations/<int:link_id>/hooks", HooksView.as_view(), name="ea-hooks"),
    path("installations/<int:link_id>/hooks/<str:hook_id>", HookView.as_view(), name="ea-hook-of-installation"),
]
