"""Addresses of orders under /api/v1/."""

from django.urls import path

from trading import api, journal_api, statistics_api

urlpatterns = [
    path("orders", api.OrderListView.as_view()),
    path("orders/<uuid:order_id>", api.OrderDetailView.as_view()),
    path("orders/<uuid:order_id>/journal", journal_api.OrderJournalView.as_view()),
    path("journal", journal_api.JournalView.as_view()),
    path("journal/tags", journal_api.JournalTagsView.as_view()),
    path("statistics", statistics_api.StatisticsView.as_view()),
]
