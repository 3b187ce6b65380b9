"""Addresses of own limits under /api/v1/."""

from django.urls import path

from trading import limits_api

urlpatterns = [
    path("limits", limits_api.LimitsView.as_view()),
    path("limits/break", limits_api.BreakView.as_view()),
    path("limits/exclusion", limits_api.ExclusionView.as_view()),
]
