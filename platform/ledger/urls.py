"""Addresses of the ledger under /api/v1/."""

from django.urls import path

from ledger import api

urlpatterns = [
    path("wallets", api.WalletListView.as_view()),
    path("wallets/<uuid:wallet_id>/refill", api.WalletRefillView.as_view()),
    path("wallets/<uuid:wallet_id>/entries", api.WalletEntriesView.as_view()),
    path("wallets/<uuid:wallet_id>/period", api.WalletPeriodView.as_view()),
]
