"""Addresses of the market under /api/v1/."""

from django.urls import path

from quotes import api, archives_api, incidents_api

urlpatterns = [
    path("fairness/archives", archives_api.ArchivesView.as_view()),
    path("fairness/archives/<str:day>", archives_api.DayManifestView.as_view()),
    path("fairness/archives/<str:day>/<str:symbol>", archives_api.ArchiveView.as_view()),
    path("fairness/heads", archives_api.HeadsView.as_view()),
    path("incidents", incidents_api.IncidentsView.as_view()),
    path("symbols", api.SymbolsView.as_view()),
    path("symbols/<str:code>", api.SymbolView.as_view()),
    path("symbols/<str:code>/ticks", api.TicksView.as_view()),
    path("symbols/<str:code>/candles", api.CandlesView.as_view()),
    path("symbols/<str:code>/payouts", api.PayoutsView.as_view()),
]
