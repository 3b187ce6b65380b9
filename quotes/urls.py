"""Addresses of the market under /api/v1/."""

from django.urls import path

from quotes import api, incidents_api

urlpatterns = [
    path("incidents", incidents_api.IncidentsView.as_view()),
    path("symbols", api.SymbolsView.as_view()),
    path("symbols/<str:code>", api.SymbolView.as_view()),
    path("symbols/<str:code>/ticks", api.TicksView.as_view()),
    path("symbols/<str:code>/candles", api.CandlesView.as_view()),
    path("symbols/<str:code>/payouts", api.PayoutsView.as_view()),
]
